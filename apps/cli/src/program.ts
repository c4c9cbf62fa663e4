import { Command, CommanderError } from 'commander';

import type { CliCommand } from './command.ts';
import { askCommand } from './commands/ask/ask.ts';
import { benchCommand } from './commands/bench/bench.ts';
import { cacheCommand } from './commands/cache/cache.ts';
import { captionCommand } from './commands/caption/caption.ts';
import { chatCommand } from './commands/chat/chat.ts';
import { compareCommand } from './commands/compare/compare.ts';
import { completionCommand } from './commands/completion/completion.ts';
import { downloadCommand } from './commands/download/download.ts';
import { embedCommand } from './commands/embed/embed.ts';
import { exportCommand } from './commands/export/export.ts';
import { featuresCommand } from './commands/features/features.ts';
import { heatmapCommand } from './commands/heatmap/heatmap.ts';
import { inspectCommand } from './commands/inspect/inspect.ts';
import { matchCommand } from './commands/match/match.ts';
import { mcpCommand } from './commands/mcp/mcp.ts';
import { rankCommand } from './commands/rank/rank.ts';
import { serveCommand } from './commands/serve/serve.ts';
import { trainCommand } from './commands/train/train.ts';
import type { Environment } from './environment.ts';
import type { ExitCode } from './exit-code.ts';
import { helpFormat } from './options/help-format.ts';
import { usageError } from './usage-error.ts';
import { versionLine } from './version.ts';

const COMMANDS: readonly CliCommand[] = [
  captionCommand,
  askCommand,
  chatCommand,
  rankCommand,
  matchCommand,
  embedCommand,
  featuresCommand,
  heatmapCommand,
  serveCommand,
  trainCommand,
  mcpCommand,
  inspectCommand,
  compareCommand,
  benchCommand,
  exportCommand,
  downloadCommand,
  cacheCommand,
  completionCommand,
];

const EXIT_CODES = `
Exit codes: 0 all done, 1 failed, 2 bad usage, 3 some inputs failed, 130 interrupted
(143 by SIGTERM, 129 by SIGHUP).`;

/** Builds the command tree. `onExitCode` is called with the exit code of the command that ran. */
export function createProgram(environment: Environment, onExitCode: (code: ExitCode) => void): Command {
  const program = new Command('blip2');
  prepare(program, environment);
  program
    .description('Caption images and answer questions about them with BLIP-2, from Hugging Face checkpoints.')
    .usage('COMMAND [options]')
    .version(versionLine(), '-V, --version', 'Print the versions of blip2 and Node')
    .addHelpText('after', `\nArguments and options of a command: blip2 COMMAND --help\n${EXIT_CODES}`);
  for (const definition of COMMANDS) {
    const command = program.command(definition.name);
    prepare(command, environment);
    command.description(definition.description);
    definition.configure(command);
    command.addHelpText('after', definition.notes).addHelpText('after', EXIT_CODES.trimStart());
    command.action(async () => onExitCode(await definition.run(command, environment)));
  }
  return program;
}

/** Writes help and versions to stdout, and converts parsing errors to a `Blip2Error` that the caller prints. */
function prepare(command: Command, { stdout, stderr }: Environment): void {
  command
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: () => {},
    })
    .configureHelp(helpFormat)
    .helpOption('-h, --help', 'Show this help')
    .showSuggestionAfterError(false)
    .exitOverride((error: CommanderError) => {
      throw error.exitCode === 0 || error.code === 'commander.help' ? error : usageError(error, command);
    });
}
