import { generate, type GenerateOutput, type GenerationContext } from '@blip2/generate';
import { expectInputs, type GenerationOptions, type LanguageModel, onesMask, type Rows } from '@blip2/interfaces';
import { asRows } from '@blip2/runtime';

/** A batch of texts as ids, rows of equal length. */
export interface TextInputs {
  /** `[batch, sequence]`. */
  readonly inputIds: Rows;
  /** `[batch, sequence]`. Default: all ones. */
  readonly attentionMask?: Rows;
}

/** A language model with `generate` for texts without images. */
export type TextGenerator<M extends LanguageModel = LanguageModel> = M & {
  /**
   * Generates new tokens after each text.
   * @throws Blip2Error the codes of `generate` of `@blip2/generate`; `INVALID_ARGUMENT` for ids beyond the vocabulary;
   * `SHAPE_MISMATCH` for rows of different lengths.
   */
  generate(inputs: TextInputs, options?: GenerationOptions, context?: GenerationContext): Promise<GenerateOutput>;
};

/** Adds `generate` to a language model, whose interface does not cover the choice of tokens. */
export function withGenerate<M extends LanguageModel>(model: M): TextGenerator<M> {
  return {
    ...model,
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
    async generate(inputs, options, context) {
      expectInputs('generate', inputs, ['inputIds', 'attentionMask']);
      const { inputIds, attentionMask } = inputs;
      const ids = asRows(inputIds);
      const inputsEmbeds = await model.embed(ids);
      const [batch, sequence] = inputsEmbeds.dims;
      const prompt = {
        inputsEmbeds,
        attentionMask: attentionMask ? asRows(attentionMask, 'attentionMask') : onesMask(batch, sequence),
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
