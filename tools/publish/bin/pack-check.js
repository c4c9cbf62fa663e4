#!/usr/bin/env node
import { existsSync } from 'node:fs';

const built = new URL('../dist/index.js', import.meta.url);
if (existsSync(built)) {
  const { packCheck } = await import(built.href);
  process.exitCode = await packCheck(process.argv.slice(2), (line) => console.log(line));
} else {
  console.error('this repository is not built yet: run `npm run prepare`');
  process.exitCode = 1;
}
