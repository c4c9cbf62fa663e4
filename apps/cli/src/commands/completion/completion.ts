import { Argument, type Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { stdoutSink } from '../../output/result-sink.ts';
import type { CompletionTree } from './completion-tree.ts';

/** Loaders of the script writers, so that `--help` does not load them. */
const SCRIPTS: Readonly<Record<string, () => Promise<(tree: CompletionTree) => string>>> = {
  bash: async () => (await import('./bash-script.ts')).bashScript,
  zsh: async () => (await import('./zsh-script.ts')).zshScript,
  fish: async () => (await import('./fish-script.ts')).fishScript,
};

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
    const [shell = ''] = command.args;
    const { completionTree } = await import('./completion-tree.ts');
    const script = await SCRIPTS[shell]?.();
    if (script) await stdoutSink(stdout).write(script(completionTree(command.parent ?? command)));
    return ExitCode.done;
  },
};
