import { type ProgramResult, runProgram } from './run-program.ts';

/**
 * What `npm run` hands down of itself, of the folder it runs in and of the `.npmrc` there: a user's empty folder has
 * none of it.
 */
const HANDED_DOWN =
  /^(npm_package_.*|npm_lifecycle_.*|npm_command|npm_config_(local_prefix|loglevel|onnxruntime_node_install)|INIT_CWD)$/i;

/** Runs npm in `folder` as somebody would there. */
export function runNpm(argv: readonly string[], folder: string): Promise<ProgramResult> {
  const running = process.env['npm_execpath'];
  return running === undefined
    ? runProgram('npm', argv, folder, userEnvironment())
    : runProgram(process.execPath, [running, ...argv], folder, userEnvironment());
}

/** The environment of this process as a user has it, with the variable that the README asks for. */
export function userEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !HANDED_DOWN.test(name));
  return { ...Object.fromEntries(own), ONNXRUNTIME_NODE_INSTALL: 'skip' };
}
