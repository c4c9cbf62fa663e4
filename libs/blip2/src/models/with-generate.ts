import { generate, type GenerateOutput, type GenerationContext } from '@blip2/generate';
import type { GenerationOptions, LanguageModel, Rows } from '@blip2/interfaces';
import { asRows } from '@blip2/runtime';

/** A text in ids, rows of equal length. */
export interface TextInputs {
  /** `[batch, sequence]`. */
  readonly inputIds: Rows;
  /** Default: every position counts. */
  readonly attentionMask?: Rows;
}

/** A language model that also writes on its own, without any image. */
export type TextGenerator<M extends LanguageModel = LanguageModel> = M & {
  /**
   * Writes new tokens after each text. @throws Blip2Error as `generate` of `@blip2/generate`; `INVALID_ARGUMENT` for
   * ids beyond the vocabulary; `SHAPE_MISMATCH` for ragged rows.
   */
  generate(inputs: TextInputs, options?: GenerationOptions, context?: GenerationContext): Promise<GenerateOutput>;
};

/** Adds `generate` to a language model, which itself knows nothing of how tokens are chosen. */
export function withGenerate<M extends LanguageModel>(model: M): TextGenerator<M> {
  return {
    ...model,
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
    async generate({ inputIds, attentionMask }, options, context) {
      const ids = asRows(inputIds);
      const prompt = {
        inputsEmbeds: await model.embed(ids),
        attentionMask: attentionMask ? asRows(attentionMask) : ids.map((row) => row.map(() => 1)),
      };
      return generate(
        model,
        model.architecture === 'causal' ? { ...prompt, promptIds: ids } : prompt,
        options,
        context,
      );
    },
  };
}
