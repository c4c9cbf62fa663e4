import { IMAGE_EXTENSIONS } from '../../images/image-folder.ts';
import type {
  CompletionCommand,
  CompletionOption,
  CompletionTree,
  CompletionValue,
  ValueKind,
} from './completion-tree.ts';
import { shellWord } from './shell-word.ts';

/** The completion script for zsh: a file `_blip2` in `$fpath`, or something to `source` after `compinit`. */
export function zshScript({ program, commands }: CompletionTree): string {
  return [
    `#compdef ${program.name}`,
    `# zsh completion of ${program.name}; written by: ${program.name} completion zsh`,
    '_blip2_commands() {',
    '  local -a commands=(',
    ...commands.map(({ name, description }) => `    ${shellWord(`${name}:${description}`)}`),
    '  )',
    "  _describe -t commands 'command' commands",
    '}',
    FUNCTIONS,
    '_blip2() {',
    '  local curcontext=$curcontext state line',
    '  typeset -A opt_args',
    `  _arguments -C -S ${[...program.options.flatMap(optionSpecs), "'1:command:_blip2_commands'", "'*::argument:->rest'"].join(' ')} && return`,
    '  case $state/$words[1] in',
    ...commands.flatMap(commandCase),
    '  esac',
    '}',
    'if [[ ${funcstack[1]-} == _blip2 ]]; then _blip2 "$@"; else compdef _blip2 blip2; fi',
    '',
  ].join('\n');
}

function commandCase({ name, options, operands, goesOn }: CompletionCommand): string[] {
  const places = operands.map((value, index) =>
    shellWord(`${goesOn && index === operands.length - 1 ? '*' : index + 1}:${value.kind}:${action(value)}`),
  );
  return [
    `    rest/${name})`,
    '      _arguments -s -S \\',
    [...options.flatMap(optionSpecs), ...places].map((spec) => `        ${spec}`).join(' \\\n'),
    '      ;;',
  ];
}

/** One per flag. An option may be given again: the last one counts, or all do. */
function optionSpecs({ flags, description, value }: CompletionOption): string[] {
  const explained = description.replace(/[\\[\]]/g, String.raw`\$&`);
  return flags.map((flag) =>
    shellWord(
      `*${flag}${value && flag.startsWith('--') ? '=' : ''}[${explained}]${value ? `:${value.kind}:${action(value)}` : ''}`,
    ),
  );
}

const ACTIONS: Readonly<Record<Exclude<ValueKind, 'words'>, string>> = {
  image: '_blip2_images',
  file: '_files',
  folder: '_files -/',
  model: '_blip2_models',
  command: '_blip2_commands',
  text: ' ',
};

function action({ kind, words }: CompletionValue): string {
  return kind === 'words' ? `(${words.join(' ')})` : ACTIONS[kind];
}

const IMAGE_PATTERN = [...IMAGE_EXTENSIONS].map((extension) => extension.slice(1)).join('|');

const FUNCTIONS = String.raw`_blip2_images() {
  if compset -P @; then _files; return; fi # a list of images
  _files -g '*.(#i)(${IMAGE_PATTERN})(-.)' || _files
}
_blip2_models() { # folders, and what the cache of the hub holds
  local -a ids
  ids=("${'$'}{HF_HUB_CACHE:-${'$'}{HUGGINGFACE_HUB_CACHE:-${'$'}{HF_HOME:-${'$'}{XDG_CACHE_HOME:-$HOME/.cache}/huggingface}/hub}}"/models--*--*(N/:t))
  ids=("${'$'}{(@)ids#models--}")
  ids=("${'$'}{(@)ids/--//}")
  ids=("${'$'}{(@M)ids:#[A-Za-z0-9._/-]##}")
  if (( $#ids )); then _multi_parts / ids; fi
  _files -/
}`;
