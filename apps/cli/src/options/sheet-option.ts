import { type Command, Option } from 'commander';

/** What commands take that can show their results with the images. */
export interface SheetOptions {
  readonly report?: string;
}

export function addSheetOption(command: Command): Command {
  return command.addOption(
    new Option(
      '--report <file>',
      'Also write a contact sheet: one HTML page of small images with their texts',
    ).helpGroup('Output:'),
  );
}
