import { IMAGE_EXTENSIONS } from '../../images/image-folder.ts';
import type { CompletionCommand, CompletionOption, CompletionTree, CompletionValue } from './completion-tree.ts';
import { shellWord } from './shell-word.ts';

/** The completion script for bash, from 3.2 on; it starts no other program. */
export function bashScript({ program, commands }: CompletionTree): string {
  const names = commands.map(({ name }) => name);
  return [
    `# bash completion of ${program.name}; written by: ${program.name} completion bash`,
    FUNCTIONS,
    '_blip2_place() { # COMMAND PREVIOUS_WORD: sets kind and words by the option before, and options, valued and operands of the command',
    '  case $1 in',
    ...[...commands, { ...program, name: '' }].flatMap(commandCase),
    '  esac',
    '}',
    `_blip2_commands=${shellWord(names.join(' '))}`,
    `complete -F _blip2 ${program.name}`,
    '',
  ].join('\n');
}

function commandCase({ name, options, operands, goesOn }: CompletionCommand): string[] {
  const valued = options.filter(({ value }) => value !== undefined);
  const flags = (some: readonly CompletionOption[]): string =>
    shellWord(some.flatMap((option) => option.flags).join(' '));
  return [
    `    ${shellWord(name)})`,
    `      options=${flags(options)}`,
    `      valued=${flags(valued)}`,
    // A word of the shell per place: its kind and its words, blanks between.
    `      operands=(${operands.map(({ kind, words }) => shellWord([kind, ...words].join(' '))).join(' ')}) goes_on=${goesOn ? 1 : 0}`,
    ...(valued.length === 0
      ? []
      : [
          '      case $2 in',
          ...valued.map(({ flags: each, value }) => `        ${each.join('|')}) ${assignment(value)} ;;`),
          '      esac',
        ]),
    '      ;;',
  ];
}

function assignment(value: CompletionValue | undefined): string {
  return `kind=${value?.kind ?? 'text'} words=${shellWord(value?.words.join(' ') ?? '')}`;
}

/** `.jpg` in any case, as a pattern: bash 3.2 cannot change the case of a word. */
const IMAGE_PATTERN = [...IMAGE_EXTENSIONS]
  .map((extension) => `*${extension.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)}`)
  .join('|');

// Names from the disk never go through `compgen -W`, which would expand what is in them.
const FUNCTIONS = String.raw`_blip2_add_files() { # KIND: all, folder or image
  local path word begun=$current
  # What was typed so far may be quoted; names are not.
  case $begun in [\"\']*) begun=${'$'}{begun#?} ;; *) begun=${'$'}{begun//\\/} ;; esac
  # Bash would quote the @ of a list too.
  if [[ -z $list ]]; then compopt -o filenames 2>/dev/null; else compopt -o nospace 2>/dev/null; fi
  while IFS= read -r path; do
    if [[ $1 == image && ! -d $path ]]; then
      case $path in ${IMAGE_PATTERN}) ;; *) continue ;; esac
    fi
    if [[ -n $list ]]; then
      if [[ -d $path ]]; then word=/; else word=' '; fi
      printf -v path %q "$path"
      path=$path$word
    fi
    COMPREPLY+=("$list$path")
  done < <(if [[ $1 == folder ]]; then compgen -d -- "$begun"; else compgen -f -- "$begun"; fi)
}
_blip2_add_models() { # folders, and what the cache of the hub holds
  local path id
  for path in "${'$'}{HF_HUB_CACHE:-${'$'}{HUGGINGFACE_HUB_CACHE:-${'$'}{HF_HOME:-${'$'}{XDG_CACHE_HOME:-$HOME/.cache}/huggingface}/hub}}"/models--*--*; do
    id=${'$'}{path##*/models--}
    id=${'$'}{id/--//}
    if [[ -d $path && $id == "$current"* && $id != *[!A-Za-z0-9._/-]* ]]; then COMPREPLY+=("$id"); fi
  done
  _blip2_add_files folder
}
_blip2_add() { # KIND WORDS
  case $1 in
    words|command)
      local words=$2
      if [[ $1 == command ]]; then words=$_blip2_commands; fi
      COMPREPLY+=($(compgen -W "$words" -- "$current")) ;;
    image)
      if [[ -z $list ]]; then _blip2_add_files image; fi
      if [[ ${'$'}{#COMPREPLY[@]} == 0 ]]; then _blip2_add_files all; fi ;;
    file) _blip2_add_files all ;;
    folder) _blip2_add_files folder ;;
    model) _blip2_add_models ;;
  esac
}
_blip2() {
  local current=${'$'}{COMP_WORDS[COMP_CWORD]} previous=${'$'}{COMP_WORDS[COMP_CWORD-1]} command= kind= words= options= valued= goes_on=0 place=0 index word last= list=
  local -a operands=()
  COMPREPLY=()
  # Bash makes three words of --option=value.
  if [[ $previous == = ]]; then previous=${'$'}{COMP_WORDS[COMP_CWORD-2]}; elif [[ $current == = ]]; then current=; fi
  # Of @list.txt it makes two, and replaces both.
  if [[ $previous == @ ]]; then list=@ previous=; elif [[ $current == @* ]]; then list=@ current=${'$'}{current#@}; fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=${'$'}{COMP_WORDS[index]}
    if [[ -z $command ]]; then
      if [[ $word != -* ]]; then command=$word; _blip2_place "$command" ''; fi
    elif [[ $word == [=@] || $last == = ]]; then :
    elif [[ $word != -?* && " $valued " != *" $last "* ]]; then place=$((place + 1))
    fi
    last=$word
  done
  _blip2_place "$command" "$previous"
  if [[ -n $kind ]]; then _blip2_add "$kind" "$words"
  elif [[ $current == -?* ]]; then _blip2_add words "$options"
  elif [[ -z $command ]]; then _blip2_add command ''
  else
    if [[ $goes_on == 1 && $place -ge ${'$'}{#operands[@]} ]]; then place=$((${'$'}{#operands[@]} - 1)); fi
    word=${'$'}{operands[place]-}
    if [[ -n $word ]]; then _blip2_add "${'$'}{word%% *}" "${'$'}{word#* }"; fi
  fi
}`;
