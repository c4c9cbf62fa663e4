import { Argument, type Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { stdoutSink } from '../../output/result-sink.ts';
import { bashScript } from './bash-script.ts';
import { type CompletionTree, completionTree } from './completion-tree.ts';
import { fishScript } from './fish-script.ts';
import { zshScript } from './zsh-script.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const satisfies Record<
  string,
  (tree: CompletionTree) => string
>;

/** `blip2 completion SHELL`: prints a completion script that is generated from the command tree. */
export const completionCommand: CliCommand = {
  name: 'completion',
  description: 'Print a script that completes commands, options, their values, images and cached models in your shell.',
  notes: `
Examples:
  echo 'source <(blip2 completion bash)' >> ~/.bashrc
  echo 'source <(blip2 completion zsh)' >> ~/.zshrc         # after compinit
  blip2 completion fish > ~/.config/fish/completions/blip2.fish
`,
  configure(command) {
    command
      .addArgument(new Argument('<shell>', 'Shell that the script is for').choices(Object.keys(SCRIPTS)))
      .option('--verbose', 'Errors with their stack');
  },
  async run(command: Command, { stdout }: Environment) {
    const tree = completionTree(command.parent ?? command);
    const chosen = Object.entries(SCRIPTS).find(([shell]) => shell === command.args[0]);
    if (chosen) await stdoutSink(stdout).write(chosen[1](tree));
    return ExitCode.done;
  },
};
