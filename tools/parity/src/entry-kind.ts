import type { ImageSource } from '@blip2/interfaces';

import type { CaseModels } from './case-models.ts';
import type { EntryInputs } from './entry-inputs.ts';
import type { JsonObject } from './json-shape.ts';

/** One call that an entry asks for. */
export interface EntryCall {
  readonly models: CaseModels;
  readonly inputs: EntryInputs;
  /** The manifest's options under this library's names, values as they stand there. */
  readonly options: JsonObject;
  /** Outputs that the entry lists, under this library's names: the rest need not be computed. */
  readonly wanted: ReadonlySet<string>;
  /** The file of an image by its name in the manifest. */
  readonly file: (name: string) => string;
  /** An image as image arguments take it: its file, or levels that stand in for a JPEG. */
  readonly image: (name: string) => Promise<ImageSource>;
}

/** How one kind of entry is put to the public interface. */
export interface EntryKind {
  /** Input names of the manifest that it knows; any other makes the entry fail. */
  readonly inputs: readonly string[];
  /** Option names of the manifest that it knows; any other makes the entry fail. */
  readonly options: readonly string[];
  /** Calls the library. The result's fields are compared under the manifest's output names in camelCase. */
  run(call: EntryCall): Promise<object>;
}

/**
 * A manifest's options as the options of a call: JSON has no types, the names were checked against the kind's list, and
 * the library
 * checks the values.
 */
export function optionsOf<T extends object>({ options }: Pick<EntryCall, 'options'>): T {
  return options as T;
}
