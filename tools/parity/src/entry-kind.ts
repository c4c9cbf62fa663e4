import type { Tensor } from '@blip2/interfaces';
import type { CaseModels } from './case-models.ts';
import type { GoldenCase } from './golden-case.ts';
import type { EntryInputs } from './entry-inputs.ts';
import type { JsonObject } from './json-shape.ts';

/** One call that an entry asks for. */
export interface EntryCall {
  readonly golden: GoldenCase;
  readonly models: CaseModels;
  readonly inputs: EntryInputs;
  /** The manifest's options under this library's names. */
  readonly options: JsonObject;
  /** Outputs that the entry lists, under this library's names: what need not be computed may be left out. */
  readonly wanted: ReadonlySet<string>;
}

/** How one kind of entry is put to the public interface. */
export interface EntryKind {
  /** Input names of the manifest that it knows; any other makes the entry fail. */
  readonly inputs: readonly string[];
  /** Option names of the manifest that it knows; `library` leaves the check to the library itself, which refuses unknown ones. */
  readonly options: readonly string[] | 'library';
  /** Calls the library. The result's fields are compared under the manifest's output names in camelCase. */
  run(call: EntryCall): Promise<object>;
}

/** A picture or levels, as image arguments take it. */
export type ImageInput = string | Tensor<'uint8', [height: number, width: number, channels: 3]>;
