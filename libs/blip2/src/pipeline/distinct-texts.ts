import { Blip2Error, mustBe, type TokenIds } from '@blip2/interfaces';

/**
 * Texts that share a probability: without surrounding whitespace, each once, in order.
 * @throws Blip2Error `INVALID_ARGUMENT` for a value that is not a list of texts, an empty list and an empty text.
 */
export function distinctTexts(argument: string, texts: readonly string[]): string[] {
  if (!Array.isArray(texts)) throw mustBe(argument, 'a list of texts', texts);
  if (texts.length === 0) throw new Blip2Error('INVALID_ARGUMENT', `${argument} must not be empty`, { argument });
  return [...new Set(texts.map((text: unknown, index) => trimmed(`${argument}[${index}]`, text)))];
}

function trimmed(argument: string, text: unknown): string {
  const rest = typeof text === 'string' ? text.trim() : '';
  if (rest === '') throw mustBe(argument, 'a non-empty text', text);
  return rest;
}

/**
 * Checks that the tokenizer tells texts apart: equal tokens would divide one probability.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function expectDistinctTokens(argument: string, texts: readonly string[], rows: readonly TokenIds[]): void {
  const first = new Map<string, string>();
  rows.forEach((ids, index) => {
    const key = ids.join();
    const [text = '', other] = [texts[index], first.get(key)];
    if (other !== undefined)
      throw mustBe(argument, 'texts with different tokens', text, {
        where: `the tokens are those of ${JSON.stringify(other)}`,
        fix: 'Remove one of the two',
      });
    first.set(key, text);
  });
}
