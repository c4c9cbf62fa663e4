import type { Command } from 'commander';

import type { Environment } from './environment.ts';
import type { ExitCode } from './exit-code.ts';

/** One command of `blip2`: a folder in `commands/` and an entry in `program.ts`. */
export interface CliCommand {
  readonly name: string;
  /** Help text between usage and options. Shells show its first sentence. */
  readonly description: string;
  /** Help text after the options: explanations, then examples. */
  readonly notes: string;
  /** Adds arguments and options. Must not import the library, because `--help` calls it. */
  configure(command: Command): void;
  /**
   * Runs the command with the parsed arguments and options.
   * @throws Blip2Error if the command fails as a whole.
   */
  run(command: Command, environment: Environment): Promise<ExitCode>;
}
