import { type ProgramResult, runProgram } from './run-program.ts';

/** Settings of the `.npmrc` in the working folder, as variables. */
const NPMRC_VARIABLES = ['local_prefix', 'loglevel', 'onnxruntime_node_install'].map((name) => `npm_config_${name}`);
/** Variables that `npm run` sets for its child processes. A user's shell has none of them. */
const NPM_VARIABLES = new RegExp(
  `^(npm_package_.*|npm_lifecycle_.*|npm_command|${NPMRC_VARIABLES.join('|')}|INIT_CWD)$`,
  'i',
);

/** Runs npm in `folder` with the environment of a user. */
export function runNpm(argv: readonly string[], folder: string): Promise<ProgramResult> {
  const running = process.env['npm_execpath'];
  return running === undefined
    ? runProgram('npm', argv, folder, userEnvironment())
    : runProgram(process.execPath, [running, ...argv], folder, userEnvironment());
}

/** The environment of a user who has set the variable from the README. */
export function userEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !NPM_VARIABLES.test(name));
  return { ...Object.fromEntries(own), ONNXRUNTIME_NODE_INSTALL: 'skip' };
}
