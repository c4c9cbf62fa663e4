import type { AttentionMask, Decoding, LanguageModel, Logits, Prompt, TokenIds } from '@blip2/interfaces';

import { type Check, FLOAT32_TOLERANCE, type Tolerance } from '../check.ts';

/** The language model under test. */
export interface LanguageModelSubject {
  /** Creates a new model for each check, which disposes of it. */
  create(): LanguageModel | Promise<LanguageModel>;
  /** Tolerance of float comparisons. Default: 1e-4 absolute and relative. */
  readonly tolerance?: Tolerance;
}

/** Passed to the body of a check. */
export interface CheckContext {
  readonly model: LanguageModel;
  readonly tolerance: Tolerance;
  /**
   * Starts a decoding that is disposed of after the check. Shorter rows are padded, on the left for causal models, on
   * the right for seq2seq models.
   */
  start(...rows: readonly TokenIds[]): Promise<Decoding>;
  /** Registers a decoding to be disposed of after the check. */
  own(decoding: Decoding): Decoding;
}

/** Creates a check that runs `body` with a new model and disposes of the model and all decodings afterwards. */
export function check(
  { create, tolerance = FLOAT32_TOLERANCE }: LanguageModelSubject,
  name: string,
  body: (context: CheckContext) => Promise<void>,
): Check {
  return {
    name,
    async run() {
      const model = await create();
      const owned: Decoding[] = [];
      const own = (decoding: Decoding): Decoding => {
        owned.push(decoding);
        return decoding;
      };
      try {
        await body({
          model,
          tolerance,
          own,
          start: async (...rows) => own(await model.start(await promptOf(model, rows))),
        });
      } finally {
        for (const decoding of owned.reverse()) await decoding[Symbol.asyncDispose]();
        await model[Symbol.asyncDispose]();
      }
    },
  };
}

/** Creates a padded prompt from rows of token ids. */
export async function promptOf(model: LanguageModel, rows: readonly TokenIds[]): Promise<Prompt> {
  const width = Math.max(...rows.map((row) => row.length));
  const filler = model.specialTokens.padTokenId ?? 0;
  const pad = (row: TokenIds, value: number): number[] => {
    const padding = filled(width - row.length, value);
    return model.architecture === 'causal' ? [...padding, ...row] : [...row, ...padding];
  };
  const attentionMask: AttentionMask = rows.map((row) =>
    pad(
      row.map(() => 1),
      0,
    ),
  );
  return { inputsEmbeds: await model.embed(rows.map((row) => pad(row, filler))), attentionMask };
}

/** A list of equal numbers. */
export function filled(length: number, value: number): number[] {
  return new Array<number>(length).fill(value);
}

/** Logits of one position of a row. */
export function positionOf(
  { dims: [, positions, vocabulary], data }: Logits,
  row: number,
  position: number,
): Float32Array {
  const start = (row * positions + position) * vocabulary;
  return data.subarray(start, start + vocabulary);
}
