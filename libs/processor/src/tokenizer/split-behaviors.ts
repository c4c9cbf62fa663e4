import { invalidTokenizer } from './components.ts';

/** Splits a text at the matches of a global regular expression; the pieces are never empty. */
export type SplitAt = (text: string, pattern: RegExp) => readonly string[];

/** A match, or the text between two matches. */
interface Part {
  readonly text: string;
  readonly isMatch: boolean;
}

/** What becomes of the matches, by the names that `tokenizer.json` uses. */
const BEHAVIORS: Readonly<Record<string, (parts: readonly Part[]) => readonly string[]>> = {
  Removed: (parts) => parts.filter(({ isMatch }) => !isMatch).map(({ text }) => text),
  Isolated: (parts) => parts.map(({ text }) => text),
  MergedWithPrevious: (parts) => mergeParts(parts, (part, previous) => part.isMatch && previous?.isMatch !== true),
  MergedWithNext: (parts) => mergeParts(parts, (part, previous) => previous?.isMatch === true && !part.isMatch),
  Contiguous: (parts) => mergeParts(parts, (part, previous) => part.isMatch === (previous?.isMatch ?? false)),
};

/**
 * Reads the behaviour of a `Split` or `Punctuation`.
 * @throws Blip2Error `INVALID_TOKENIZER` for unknown ones.
 */
export function splitBehavior(behavior: unknown, invert = false): SplitAt {
  const join = typeof behavior === 'string' && Object.hasOwn(BEHAVIORS, behavior) ? BEHAVIORS[behavior] : undefined;
  if (!join)
    throw invalidTokenizer('Unknown behavior of a split', {
      expected: Object.keys(BEHAVIORS).join(', '),
      got: String(behavior).slice(0, 100),
    });
  return (text, pattern) => join(partsOf(text, pattern, invert));
}

function partsOf(text: string, pattern: RegExp, invert: boolean): readonly Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (index > end) parts.push({ text: text.slice(end, index), isMatch: invert });
    if (match !== '') parts.push({ text: match, isMatch: !invert });
    end = index + match.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), isMatch: invert });
  return parts;
}

/** Joins each part to the previous one if `isJoined`; the first part has no previous one. */
function mergeParts(
  parts: readonly Part[],
  isJoined: (part: Part, previous: Part | undefined) => boolean,
): readonly string[] {
  const merged: string[] = [];
  parts.forEach((part, index) => {
    const last = merged.at(-1);
    if (last === undefined || !isJoined(part, parts[index - 1])) merged.push(part.text);
    else merged[merged.length - 1] = last + part.text;
  });
  return merged;
}
