import { expect, test } from 'vitest';

import { moduleExecArgv } from './module-exec-argv.ts';

test('threads inherit how modules are loaded', () => {
  const options = ['--import', './loader.mjs', '--import=tsx', '-r', 'x', '-C', 'development', '--preserve-symlinks'];
  expect(moduleExecArgv(options)).toEqual(options);
});

test('threads do not inherit what only a program can be started with', () => {
  const options = ['--input-type=module', '-e', 'run()', '--test', '--inspect-brk', '--max-old-space-size=4096'];
  expect(moduleExecArgv([...options, '--import', 'tsx'])).toEqual(['--import', 'tsx']);
});

test('by default the options of this process are used', () => {
  expect(moduleExecArgv()).toEqual(moduleExecArgv(process.execArgv));
});
