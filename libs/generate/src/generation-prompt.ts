import {
  Blip2Error,
  type Decoding,
  defined,
  isTensorLike,
  type LanguageModel,
  mustBe,
  type Prompt,
  type SpecialTokens,
  type TokenIds,
} from '@blip2/interfaces';

interface PromptIds {
  /**
   * Ids that penalties apply to before the first new token, rows of equal length. Causal models: the whole row, image
   * tokens and, as in HF, padding included (default: none). Seq2seq models: the decoder's ids (default:
   * `decoderInputIds`, else the start token).
   */
  readonly promptIds?: readonly TokenIds[];
  /**
   * Number of positions that `maxLength` and `minLength` count before the first new token. Default: those of the prompt
   * (causal) or of the decoder (seq2seq).
   */
  readonly promptLength?: number;
}

/** A decoding in progress, which `generate` advances but does not dispose of. Pass a `fork` to keep its state. */
export interface Continuation {
  /** Its rows are the prompts. Must have logits: not cropped since the last `extend`. */
  readonly decoding: Decoding;
}

/** Where generation starts: a prompt for the prefill, or a decoding in progress. */
export type GenerationPrompt = PromptIds & (Prompt | Continuation);

/** A prompt with all defaults filled in. */
export interface ResolvedPrompt {
  readonly rows: number;
  readonly promptIds: readonly TokenIds[];
  readonly promptLength: number;
  /** Runs the prefill, or returns the given decoding. `owned`: the caller must dispose of it. */
  open(): Promise<{ readonly decoding: Decoding; readonly owned: boolean }>;
}

/**
 * Fills in the defaults of a prompt.
 * @throws Blip2Error `SHAPE_MISMATCH` if the rows of `promptIds` do not match the prompt; `INVALID_ARGUMENT` if a
 * seq2seq decoder has no start token.
 */
export function resolvePrompt(
  model: LanguageModel,
  prompt: GenerationPrompt,
  specialTokens: SpecialTokens,
): ResolvedPrompt {
  if (!isPrompt(prompt))
    throw mustBe('prompt', 'an object with inputsEmbeds and attentionMask, or with decoding', prompt);
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
        decoding: await model.start(defined({ inputsEmbeds, attentionMask, decoderInputIds })),
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

function isPrompt(prompt: unknown): boolean {
  if (typeof prompt !== 'object' || prompt === null) return false;
  return 'decoding' in prompt || ('inputsEmbeds' in prompt && isTensorLike(prompt.inputsEmbeds));
}

function checkRows(promptIds: readonly TokenIds[], rows: number): void {
  if (!Array.isArray(promptIds) || !promptIds.every(Array.isArray))
    throw mustBe('promptIds', 'rows of token ids', promptIds);
  const length = promptIds[0]?.length;
  if (promptIds.length === rows && rows > 0 && promptIds.every((ids) => ids.length === length)) return;
  throw new Blip2Error('SHAPE_MISMATCH', {
    argument: 'promptIds',
    expected: `${rows} rows of equal length`,
    got: promptIds.length > 0 ? `rows of ${promptIds.map((ids) => ids.length).join(', ')} ids` : 'none',
  });
}
