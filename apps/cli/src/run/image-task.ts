import type { RgbImage } from '@blip2/interfaces';

import type { ModelKind } from '../model/model-kinds.ts';
import type { CallOptions, ImageModel } from '../model/model-port.ts';
import type { OpenOutput } from '../output/output-request.ts';
import type { SheetText } from '../report/sheet-html.ts';

/** A decoded image and the prompts to run on it. */
export interface TaskItem {
  readonly image: RgbImage;
  readonly prompts: readonly string[];
}

/** A line whose last column is streamed: the other columns, and the pieces of the text. */
export interface StreamedLine {
  readonly columns: readonly string[];
  readonly pieces: AsyncIterable<string>;
}

/** The work of a command on every image. Each image yields one line per prompt. */
export interface ImageTask<Result, Model extends ImageModel> {
  readonly command: string;
  /** The kind of checkpoint. */
  readonly model: ModelKind<Model>;
  /** Texts to combine with each image, such as questions; `['']` for a task without texts. */
  readonly prompts: readonly string[];
  /** Options that change results, for the record of the run. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Returns, per item, one result per prompt. */
  perform(
    model: Model,
    items: readonly TaskItem[],
    signal: CallOptions['signal'],
  ): Promise<readonly (readonly Result[])[]>;
  /** The JSON line of a result. */
  toJson(image: string, prompt: string, result: Result): Readonly<Record<string, unknown>>;
  /** The columns of the text line after the path. */
  toColumns(prompt: string, result: Result): readonly string[];
  /** Streams the line of one image, for tasks whose last column is a generated text. */
  stream?(model: Model, image: RgbImage, prompt: string, signal: CallOptions['signal']): StreamedLine;
  /** The prompt of a JSON line of an earlier run; `undefined` if the line does not belong to this task. */
  promptOf(line: Readonly<Record<string, unknown>>): string | undefined;
  /** The text of a JSON line on the contact sheet. Tasks without this method have no sheet. */
  sheetText?(line: Readonly<Record<string, unknown>>): SheetText;
  readonly openOutput?: OpenOutput;
}
