import { mustBe } from '@blip2/interfaces';

/**
 * Checks predictions and their references, one list each.
 * @throws Blip2Error `INVALID_ARGUMENT` for empty lists, lists of different lengths and values that are no strings.
 */
export function expectTexts(
  predictions: readonly string[],
  references: readonly (readonly string[])[],
  { names = ['predictions', 'references'], atLeast = 1 }: { names?: readonly [string, string]; atLeast?: number } = {},
): void {
  const [given, expected] = names;
  if (!Array.isArray(predictions) || predictions.length === 0) {
    throw mustBe(given, 'a list of at least one text', predictions);
  }
  if (!Array.isArray(references) || references.length !== predictions.length) {
    const got = Array.isArray(references) ? `${references.length} of them` : references;
    throw mustBe(expected, `a list with one list of texts for each of the ${predictions.length} ${given}`, got);
  }
  for (const [at, prediction] of predictions.entries()) expectText(`${given}[${at}]`, prediction);
  for (const [at, list] of (references as readonly unknown[]).entries()) {
    if (!Array.isArray(list) || list.length < atLeast) {
      throw mustBe(`${expected}[${at}]`, `a list of at least ${atLeast === 1 ? 'one text' : `${atLeast} texts`}`, list);
    }
    for (const [index, text] of list.entries()) expectText(`${expected}[${at}][${index}]`, text);
  }
}

function expectText(argument: string, value: unknown): void {
  if (typeof value !== 'string') throw mustBe(argument, 'a string', value);
}
