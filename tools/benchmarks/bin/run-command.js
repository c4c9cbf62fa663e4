import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Runs `command` of a built module of this package with the arguments of this process. */
export async function runCommand(name) {
  const built = new URL(`../dist/${name}.js`, import.meta.url);
  if (!existsSync(fileURLToPath(built))) {
    console.error('This repository is not built yet. Run `npm run prepare`.');
    process.exitCode = 1;
    return;
  }
  const { command } = await import(built.href);
  await command(process.argv.slice(2));
}
