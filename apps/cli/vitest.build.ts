import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Some tests start the real command, which runs what is built: build it, so that they never see an older one. */
export default function build(): void {
  const compiler = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '-b', join(import.meta.dirname, 'tsconfig.lib.json')], {
    stdio: 'inherit',
  });
}
