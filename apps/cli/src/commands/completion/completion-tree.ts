import type { Argument, Command, Option } from 'commander';

import { knownValues } from './known-values.ts';

/** What may stand in one place of a command line: one of some words, something a shell can look up, or any `text`. */
export type ValueKind = 'words' | 'image' | 'file' | 'folder' | 'model' | 'command' | 'text';
export interface CompletionValue {
  readonly kind: ValueKind;
  /** The words of `words`, else empty. */
  readonly words: readonly string[];
}
export interface CompletionOption {
  /** As they are typed, the short one first: `-m`, `--model`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** What stands after it; `undefined` for a switch. */
  readonly value: CompletionValue | undefined;
}
export interface CompletionCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletionOption[];
  /** In order; the last one goes on for ever if `goesOn`. */
  readonly operands: readonly CompletionValue[];
  readonly goesOn: boolean;
}
/**
 * The command tree as a script for a shell needs it: the program itself and its commands, `help` included, in the order
 * of the help.
 */
export interface CompletionTree {
  readonly program: CompletionCommand;
  readonly commands: readonly CompletionCommand[];
}

/** Names in `<…>` and `[…]` that say what a shell can look up. */
const KINDS: Readonly<Record<string, ValueKind>> = {
  image: 'image',
  file: 'file',
  folder: 'folder',
  model: 'model',
  command: 'command',
};

/** Reads the tree off the program, so that no command and no option can be forgotten. */
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
    goesOn: operands.at(-1)?.variadic === true,
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

/**
 * Shells show it beside the word: what comes after the first stop or semicolon outside of brackets is too long for
 * that.
 */
function firstSentence(description: string): string {
  return /^(?:[^.;(]|\([^)]*\)|[.;](?!\s|$)|\()*/.exec(description)?.[0] ?? description;
}

function before(stop: string, text: string): string {
  return text.split(stop)[0] ?? text;
}
