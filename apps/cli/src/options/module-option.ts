import { type Command, Option } from 'commander';

export function addModuleOption(command: Command): Command {
  return command.addOption(
    new Option(
      '--module <file>',
      'ES module with parts, prompts or criteria of your own (Blip2Module of @blip2/cli); its code is run',
    ).helpGroup('Model:'),
  );
}
