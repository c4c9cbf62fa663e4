import { Blip2Error, type LanguageModel, type TokenIds } from '@blip2/interfaces';
import type { Tokenizer } from '@blip2/processor';

/** The ids of an example: what is given after the image, and what is to be generated. */
export interface ExampleIds {
  readonly prompt: TokenIds;
  readonly targets: TokenIds;
}

/** What the ids of an example depend on. */
export interface TextSettings {
  readonly tokenizer: Pick<Tokenizer, 'encode'>;
  readonly language: Pick<LanguageModel, 'architecture' | 'specialTokens'>;
  /** Turns a question into a prompt. */
  readonly toPrompt: (question: string) => string;
}

/**
 * Tokenizes examples as they are when the model generates: a caption follows the start token, an answer the prompt of
 * its question, and the end token ends both.
 * @throws Blip2Error `INVALID_TOKENIZER` if the language model has no end token.
 */
export function exampleIds(
  { tokenizer, language, toPrompt }: TextSettings,
  { question, text }: { readonly question?: string; readonly text: string },
): ExampleIds {
  const { architecture, specialTokens } = language;
  const { bosTokenId, eosTokenId } = specialTokens;
  const end = typeof eosTokenId === 'object' ? eosTokenId[0] : eosTokenId;
  if (end === undefined)
    throw new Blip2Error('INVALID_TOKENIZER', 'The language model has no end token, so that texts would not end', {
      fix: 'Set eos_token_id in its config.json',
    });
  const encode = (part: string, addSpecialTokens: boolean): readonly number[] =>
    tokenizer.encode(part, { addSpecialTokens, escapeSpecialTokens: true });
  if (question === undefined)
    return {
      prompt: bosTokenId === undefined || architecture !== 'causal' ? [] : [bosTokenId],
      targets: [...encode(text, false), end],
    };
  const asked = toPrompt(question);
  const prompt = encode(asked, true);
  if (architecture !== 'causal') return { prompt, targets: [...encode(text, false), end] };
  // Tokenizers join a word with the space before it, so that an answer has other ids after its prompt than alone.
  const joined = encode(`${asked} ${text}`, true);
  const isPrompt = prompt.every((id, index) => joined[index] === id);
  const answer = isPrompt ? joined.slice(prompt.length) : encode(` ${text}`, false);
  return { prompt, targets: [...answer, end] };
}
