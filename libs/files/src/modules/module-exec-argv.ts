/**
 * Options of Node that determine how modules are found and loaded, and whether they take a value. Threads and child
 * processes need them, such as the loader of a TypeScript program.
 */
const MODULE_OPTIONS: ReadonlyMap<string, boolean> = new Map([
  ['--import', true],
  ['--require', true],
  ['-r', true],
  ['--loader', true],
  ['--experimental-loader', true],
  ['--conditions', true],
  ['-C', true],
  ['--preserve-symlinks', false],
  ['--experimental-strip-types', false],
  ['--experimental-transform-types', false],
  ['--enable-source-maps', false],
]);

/**
 * The options of this process that its threads and child processes are started with. By default they inherit all, and
 * fail to start with some: `--input-type` and `--eval` refuse to run a file, `--test` runs tests, `--inspect-brk` waits
 * for a debugger.
 */
export function moduleExecArgv(execArgv: readonly string[] = process.execArgv): string[] {
  const kept: string[] = [];
  for (let index = 0; index < execArgv.length; index++) {
    const option = execArgv[index] ?? '';
    const takesValue = MODULE_OPTIONS.get(option.split('=', 1)[0] ?? '');
    if (takesValue === undefined) continue;
    kept.push(option);
    if (takesValue && !option.includes('=')) kept.push(execArgv[++index] ?? '');
  }
  return kept;
}
