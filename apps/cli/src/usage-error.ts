import { Blip2Error, nearestName } from '@blip2/interfaces';
import type { Command, CommanderError } from 'commander';

/** Converts an error of commander to a `Blip2Error` that names the nearest valid option or command. */
export function usageError(error: CommanderError, command: Command): Blip2Error {
  const what = error.message.replace(/^error: /, '');
  const wrong = /^unknown (option|command) '([^']*)'/.exec(what);
  const fix = suggestion(wrong?.[1], wrong?.[2] ?? '', command);
  return new Blip2Error(
    wrong?.[1] === 'option' ? 'UNKNOWN_OPTION' : 'INVALID_ARGUMENT',
    what[0]?.toUpperCase() + what.slice(1).replace(/\.$/, ''),
    { fix },
  );
}

function suggestion(kind: string | undefined, wrong: string, command: Command): string {
  const help = `See \`${[command.parent?.name(), command.name()].filter(Boolean).join(' ')} --help\``;
  if (kind === undefined) return help;
  const names =
    kind === 'command'
      ? command.commands.map((each) => each.name())
      : command.options.map((option) => option.long ?? option.flags);
  const nearest = nearestName(wrong.split('=')[0] ?? wrong, [...names, ...(kind === 'option' ? ['--help'] : ['help'])]);
  return nearest === undefined ? help : `Did you mean ${nearest}?`;
}
