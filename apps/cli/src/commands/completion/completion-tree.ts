import type { Argument, Command, Option } from 'commander';

/** Kind of value at a position of the command line: one of some words, something a shell can look up, or any text. */
export type ValueKind = 'words' | 'image' | 'file' | 'folder' | 'model' | 'command' | 'text';
export interface CompletionValue {
  readonly kind: ValueKind;
  /** The words of kind `words`; otherwise empty. */
  readonly words: readonly string[];
}
export interface CompletionOption {
  /** As typed, the short one first: `-m`, `--model`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** The value of the option; `undefined` for a switch. */
  readonly value: CompletionValue | undefined;
}
export interface CompletionCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletionOption[];
  /** Arguments, in order. */
  readonly operands: readonly CompletionValue[];
  /** Whether the last argument may be repeated. */
  readonly isVariadic: boolean;
}
/**
 * The command tree for completion scripts: the program and its commands, including `help`, in the order of the help.
 */
export interface CompletionTree {
  readonly program: CompletionCommand;
  readonly commands: readonly CompletionCommand[];
}

/** Kinds of values by their name in `<…>` or `[…]`. */
const KINDS: Readonly<Record<string, ValueKind>> = {
  image: 'image',
  file: 'file',
  folder: 'folder',
  model: 'model',
  command: 'command',
};

/** Derives the tree from the program, so that it has every command and option. */
export function completionTree(program: Command): CompletionTree {
  return { program: commandOf(program), commands: program.createHelp().visibleCommands(program).map(commandOf) };
}

function commandOf(command: Command): CompletionCommand {
  const operands = command.registeredArguments;
  return {
    name: command.name(),
    description: before(': ', firstSentence(command.description())),
    options: command
      .createHelp()
      .visibleOptions(command)
      .map((option) => optionOf(command, option)),
    operands: operands.map((operand) => operandOf(command, operand)),
    isVariadic: operands.at(-1)?.variadic === true,
  };
}

function optionOf(command: Command, option: Option): CompletionOption {
  const takesValue = option.required || option.optional;
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    description: firstSentence(option.description),
    value: takesValue
      ? valueOf(
          option.argChoices ?? knownValues(command.name(), option.long ?? ''),
          /[<[]([^\]>.]+)/.exec(option.flags)?.[1],
        )
      : undefined,
  };
}

function operandOf(command: Command, operand: Argument): CompletionValue {
  return valueOf(operand.argChoices ?? knownValues(command.name(), operand.name()), operand.name());
}

function valueOf(words: readonly string[] | undefined, placeholder: string | undefined): CompletionValue {
  return words === undefined ? { kind: KINDS[placeholder ?? ''] ?? 'text', words: [] } : { kind: 'words', words };
}

/** The description up to the first period or semicolon outside of parentheses, short enough to be shown in a shell. */
function firstSentence(description: string): string {
  return /^(?:[^.;(]|\([^)]*\)|[.;](?!\s|$)|\()*/.exec(description)?.[0] ?? description;
}

function before(stop: string, text: string): string {
  return text.split(stop)[0] ?? text;
}

/**
 * Values of options and arguments that are checked by the library or the command instead of commander. Other values can
 * still be typed.
 */
const KNOWN_VALUES: Readonly<Record<string, readonly string[]>> = {
  '--dtype': ['fp32', 'int8', 'q8', 'q4', 'fast', 'small'],
  'train --dtype': ['fp32', 'int8', 'q8', 'q4'],
  '--device': ['cpu'],
  '--sidecar-extension': ['.txt', '.caption'],
  'cache action': ['ls', 'verify', 'prune', 'rm'],
};

/** Known values of an option or argument of one command, or of an option of any command. */
function knownValues(command: string, name: string): readonly string[] | undefined {
  return KNOWN_VALUES[`${command} ${name}`] ?? KNOWN_VALUES[name];
}
