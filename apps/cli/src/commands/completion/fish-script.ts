import type { CompletionCommand, CompletionOption, CompletionTree, CompletionValue } from './completion-tree.ts';

/** The completion script for fish, from 3.0 on. */
export function fishScript({ program, commands }: CompletionTree): string {
  return [
    `# fish completion of ${program.name}; written by: ${program.name} completion fish`,
    FUNCTIONS,
    `complete -c ${program.name} -f`,
    ...program.options.map((option) => optionLine(program.name, '__fish_use_subcommand', option)),
    ...commands.map(
      ({ name, description }) =>
        `complete -c ${program.name} -n __fish_use_subcommand -a ${name} -d ${fishWord(description)}`,
    ),
    ...commands.flatMap((command) => commandLines(program.name, command, commands)),
    '',
  ].join('\n');
}

/** Fish counts no places here: what any of them takes is offered in all. */
function commandLines(
  program: string,
  { name, options, operands }: CompletionCommand,
  commands: readonly CompletionCommand[],
): string[] {
  const condition = fishWord(`__fish_seen_subcommand_from ${name}`);
  return [
    ...options.map((option) => optionLine(program, condition, option)),
    ...operands.map(
      (value) =>
        `complete -c ${program} -n ${condition} ${value.kind === 'command' ? `-f -a ${fishWord(commands.map((command) => command.name).join(' '))}` : candidates(value)}`,
    ),
  ];
}

function optionLine(program: string, condition: string, { flags, description, value }: CompletionOption): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  return [
    `complete -c ${program} -n ${condition}`,
    ...names,
    ...(value ? ['-r', candidates(value)] : []),
    `-d ${fishWord(description)}`,
  ].join(' ');
}

function candidates({ kind, words }: CompletionValue): string {
  if (kind === 'words') return `-f -a ${fishWord(words.join(' '))}`;
  if (kind === 'model') return "-f -a '(__blip2_models)'";
  if (kind === 'folder') return "-f -a '(__fish_complete_directories)'";
  return kind === 'image' || kind === 'file' ? '-F' : '-f';
}

function fishWord(text: string): string {
  return `'${text.replace(/[\\']/g, String.raw`\$&`)}'`;
}

const FUNCTIONS = String.raw`function __blip2_models # folders, and what the cache of the hub holds
    set -l home "$HOME/.cache"
    test -n "$XDG_CACHE_HOME"; and set home "$XDG_CACHE_HOME"
    set -l hub "$home/huggingface/hub"
    test -n "$HF_HOME"; and set hub "$HF_HOME/hub"
    test -n "$HUGGINGFACE_HUB_CACHE"; and set hub "$HUGGINGFACE_HUB_CACHE"
    test -n "$HF_HUB_CACHE"; and set hub "$HF_HUB_CACHE"
    for path in "$hub"/models--*--*
        string replace -r '^.*/models--' '' -- $path | string replace -- -- / | string match -r '^[A-Za-z0-9._/-]+$'
    end
    __fish_complete_directories
end`;
