import type { Command } from 'commander';

import type { Environment } from './environment.ts';
import type { ExitCode } from './exit-code.ts';

/** One command of `blip2`: a file in `commands/` and a line in `program.ts`. */
export interface CliCommand {
  readonly name: string;
  /** Adds description, arguments, options and examples. Imports nothing heavy: `--help` calls it. */
  configure(command: Command): void;
  /** Does the work. `args` and `options` are what commander parsed. Throws `Blip2Error` on failure as a whole. */
  run(command: Command, environment: Environment): Promise<ExitCode>;
}
