import type { ImageSource } from '@blip2/interfaces';

import type { CaseModels } from './case-models.ts';
import type { EntryInputs } from './entry-inputs.ts';
import type { JsonObject } from './json-shape.ts';

/** The call that an entry describes. */
export interface EntryCall {
  readonly models: CaseModels;
  readonly inputs: EntryInputs;
  /** The manifest's options under this library's names, with unchanged values. */
  readonly options: JsonObject;
  /** The requested outputs under this library's names. Others need not be computed. */
  readonly wanted: ReadonlySet<string>;
  /** Path of an image, by its name in the manifest. */
  readonly file: (name: string) => string;
  /** An image to pass to the library: its file, or the recorded pixels of a JPEG. */
  readonly image: (name: string) => Promise<ImageSource>;
}

/** How entries of one kind call the public API. */
export interface EntryKind {
  /** Known input names. Any other name fails the entry. */
  readonly inputs: readonly string[];
  /** Known option names. Any other name fails the entry. */
  readonly options: readonly string[];
  /** Calls the library. The result's fields are compared under the manifest's output names in camelCase. */
  run(call: EntryCall): Promise<object>;
}

/**
 * The options of a call with the type that the library expects. JSON has no types: names were checked against the
 * kind's
 * list, and the library checks the values.
 */
export function optionsOf<T extends object>({ options }: Pick<EntryCall, 'options'>): T {
  return options as T;
}
