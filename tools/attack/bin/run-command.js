import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/index.js', import.meta.url);

/** Runs a command of the built package with the arguments of this process. */
export async function runCommand(name) {
  if (!existsSync(fileURLToPath(built))) {
    console.error('this repository is not built yet: run `npm run prepare`');
    process.exitCode = 1;
    return;
  }
  const commands = await import(built.href);
  process.exitCode = await commands[name](process.argv.slice(2), {
    print: (line) => console.log(line),
    complain: (line) => console.error(line),
  });
}
