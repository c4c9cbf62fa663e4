import type { Command } from 'commander';

import {
  addImageOptions,
  addModuleOption,
  addSheetOption,
  type ImageOptions,
  type SheetOptions,
} from './common-options.ts';
import { addGenerationOptions } from './generation-flags.ts';

/** Options of commands that generate a text for every image. */
export type TextTaskOptions = ImageOptions & SheetOptions;

/** Adds the options of commands that generate a text for every image. */
export function addTextTaskOptions(command: Command): Command {
  addImageOptions(command);
  addModuleOption(command);
  addSheetOption(command);
  return addGenerationOptions(command);
}
