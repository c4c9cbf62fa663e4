import type { RgbImage } from '@blip2/interfaces';

import type { CallOptions, ImageModel } from '../model/model-port.ts';
import type { ModelKind } from '../model/open-model.ts';
import type { OpenOutput } from '../output/output-request.ts';
import type { SheetText } from '../report/sheet-html.ts';

/** A decoded image and the parts of the task that are to be done for it. */
export interface TaskItem {
  readonly image: RgbImage;
  readonly parts: readonly string[];
}

/** The columns that are known before the text, and the text. */
export interface StreamedLine {
  readonly columns: readonly string[];
  readonly pieces: AsyncIterable<string>;
}

/** What a command does with every image. One image gives one line per part. */
export interface ImageTask<Result, Model extends ImageModel> {
  readonly command: string;
  /** The checkpoint that it needs. */
  readonly model: ModelKind<Model>;
  /** What is asked of each image (questions); a task that asks nothing has the one part `''`. */
  readonly parts: readonly string[];
  /** Options that change results, as they go into the run's record. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Per item, one result per part. */
  perform(
    model: Model,
    items: readonly TaskItem[],
    signal: CallOptions['signal'],
  ): Promise<readonly (readonly Result[])[]>;
  /** The JSON line of a result. */
  toJson(image: string, part: string, result: Result): Readonly<Record<string, unknown>>;
  /** The columns of the text line after the path. */
  toColumns(part: string, result: Result): readonly string[];
  /** The text line of one image as it comes, where its last column is a text that is written piece by piece. */
  stream?(model: Model, image: RgbImage, part: string, signal: CallOptions['signal']): StreamedLine;
  /** Which part a JSON line of an earlier run is; `undefined` if it is none. */
  partOf(line: Readonly<Record<string, unknown>>): string | undefined;
  /** What a contact sheet says of a JSON line; tasks without have no sheet. */
  sheetText?(line: Readonly<Record<string, unknown>>): SheetText;
  readonly openOutput?: OpenOutput;
}
