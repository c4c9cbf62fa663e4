import {
  Blip2Error,
  type Decoding,
  type LanguageModel,
  type Prompt,
  type SpecialTokens,
  type TokenIds,
} from '@blip2/interfaces';

interface PromptIds {
  /**
   * The ids that penalties see before the first new token, rows of equal length. Causal: the whole row, image tokens
   * included (default: none) and, as in the
   * reference, padding too; seq2seq: the ids of the decoder (default: `decoderInputIds`, else the start token).
   */
  readonly promptIds?: readonly TokenIds[];
  /**
   * How many positions `maxLength` and `minLength` count before the first new token. Default: those of the prompt
   * (causal) or of the decoder (seq2seq).
   */
  readonly promptLength?: number;
}

/**
 * A decoding that is already under way: `generate` goes on from it, and leaves it wherever the search ends. Give a
 * `fork` to keep it.
 */
export interface Continuation {
  /** Must have scores: not cropped since it was last extended. Its rows are the prompts. */
  readonly decoding: Decoding;
}

/** What generation starts from: a prompt for the model to read, or a decoding to go on with. */
export type GenerationPrompt = PromptIds & (Prompt | Continuation);

export interface ResolvedPrompt {
  readonly rows: number;
  readonly promptIds: readonly TokenIds[];
  readonly promptLength: number;
  /** The decoding to go on with, and whether it is ours to dispose of. */
  open(): Promise<{ readonly decoding: Decoding; readonly owned: boolean }>;
}

/** Fills in what a prompt leaves out and checks that its rows agree. */
export function resolvePrompt(
  model: LanguageModel,
  prompt: GenerationPrompt,
  specialTokens: SpecialTokens,
): ResolvedPrompt {
  const rows = 'decoding' in prompt ? prompt.decoding.logits.dims[0] : prompt.inputsEmbeds.dims[0];
  const decoderInputIds = 'decoding' in prompt ? undefined : startOfDecoder(model, prompt, specialTokens, rows);
  const promptIds = prompt.promptIds ?? decoderInputIds ?? Array.from({ length: rows }, () => []);
  checkRows(promptIds, rows);
  return {
    rows,
    promptIds,
    promptLength:
      prompt.promptLength ??
      ('decoding' in prompt ? prompt.decoding.length : (decoderInputIds?.[0]?.length ?? prompt.inputsEmbeds.dims[1])),
    async open() {
      if ('decoding' in prompt) return { decoding: prompt.decoding, owned: false };
      const { inputsEmbeds, attentionMask } = prompt;
      return {
        decoding: await model.start({ inputsEmbeds, attentionMask, ...(decoderInputIds && { decoderInputIds }) }),
        owned: true,
      };
    },
  };
}

function startOfDecoder(
  model: LanguageModel,
  prompt: Prompt,
  { decoderStartTokenId, bosTokenId }: SpecialTokens,
  rows: number,
): readonly TokenIds[] | undefined {
  if (model.architecture === 'causal') return undefined;
  if (prompt.decoderInputIds) return prompt.decoderInputIds;
  const start = decoderStartTokenId ?? bosTokenId;
  if (start === undefined) {
    throw new Blip2Error('INVALID_ARGUMENT', 'The decoder has no start token', {
      expected: 'decoderStartTokenId or bosTokenId',
      fix: 'Set one of them in the options',
    });
  }
  return Array.from({ length: rows }, () => [start]);
}

function checkRows(promptIds: readonly TokenIds[], rows: number): void {
  const length = promptIds[0]?.length;
  if (promptIds.length === rows && rows > 0 && promptIds.every((ids) => ids.length === length)) return;
  throw new Blip2Error('SHAPE_MISMATCH', 'The prompt ids do not fit the prompt', {
    where: 'promptIds',
    expected: `${rows} rows of equal length`,
    got: `rows of ${promptIds.map((ids) => ids.length).join(', ') || 'nothing'}`,
  });
}
