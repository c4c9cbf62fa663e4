import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Examples and documented code run what is built: build it, so that they never see an older one. */
export default function build(): void {
  const root = join(import.meta.dirname, '..');
  execFileSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-b', join(root, 'tsconfig.build.json')],
    { stdio: 'inherit' },
  );
}
