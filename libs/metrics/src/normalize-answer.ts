import { CONTRACTIONS } from './contractions.ts';
import { splitWords, strip } from './split-words.ts';

const NUMBERS: ReadonlyMap<string, string> = new Map([
  ['none', '0'],
  ['zero', '0'],
  ['one', '1'],
  ['two', '2'],
  ['three', '3'],
  ['four', '4'],
  ['five', '5'],
  ['six', '6'],
  ['seven', '7'],
  ['eight', '8'],
  ['nine', '9'],
  ['ten', '10'],
]);
const ARTICLES: ReadonlySet<string> = new Set(['a', 'an', 'the']);
const PUNCTUATION = [...';/[]"{}()=+\\_-><@`,?!'];
/** A comma between digits. Where a text has one, all punctuation is removed instead of replaced by a space. */
const DIGIT_COMMA = /[0-9],[0-9]/;
/** The official code removes that many: it passes the flag `re.UNICODE`, which is 32, as the number of replacements. */
const MAX_PERIODS = 32;

/** An answer without line breaks, tabs and white space at its ends. */
export function cleanAnswer(answer: string): string {
  return strip(answer.replace(/[\n\t]/g, ' '));
}

/**
 * Normalizes an answer as the official VQA evaluation does: punctuation, case, numbers from `none` to `ten` as digits,
 * no articles, apostrophes of contractions. `"The two dogs."` becomes `"2 dogs"`.
 */
export function normalizeAnswer(answer: string): string {
  return splitWords(withoutPunctuation(cleanAnswer(answer)).toLowerCase())
    .map((word) => NUMBERS.get(word) ?? word)
    .filter((word) => !ARTICLES.has(word))
    .map((word) => CONTRACTIONS.get(word) ?? word)
    .join(' ');
}

function withoutPunctuation(text: string): string {
  const isAllRemoved = DIGIT_COMMA.test(text);
  const replaced = PUNCTUATION.reduce((result, mark) => {
    const isRemoved = isAllRemoved || text.includes(`${mark} `) || text.includes(` ${mark}`);
    return result.replaceAll(mark, isRemoved ? '' : ' ');
  }, text);
  let periods = 0;
  return replaced.replace(/\.(?![0-9])/g, (period) => (++periods > MAX_PERIODS ? period : ''));
}
