import { mustBe } from '@blip2/interfaces';

/**
 * The texts of a repeatable option, in order, without the line ends that lists saved on Windows leave.
 * @throws Blip2Error `INVALID_ARGUMENT` if one is empty.
 */
export function givenTexts(option: string, texts: readonly string[], fix?: string): readonly string[] {
  const empty = texts.find((text) => text.trim() === '');
  if (empty !== undefined) throw mustBe(option, 'a non-empty text', empty, fix === undefined ? {} : { fix });
  return texts.map((text) => text.replace(/[\r\n]+$/, ''));
}

/**
 * As `givenTexts`, each text once.
 * @throws Blip2Error `INVALID_ARGUMENT` if one is empty.
 */
export function distinctTexts(option: string, texts: readonly string[], fix?: string): readonly string[] {
  return [...new Set(givenTexts(option, texts, fix))];
}

/**
 * The precisions of `--dtype a,b`.
 * @throws Blip2Error `INVALID_ARGUMENT` if there are fewer than `least`, or one is empty or repeated.
 */
export function precisionList(dtype: string, least: 1 | 2): readonly string[] {
  // `vision=int8,language=q4` is one choice.
  const names = least === 1 && dtype.includes('=') ? [dtype] : dtype.split(',').map((name) => name.trim());
  const isDistinct = least === 1 || new Set(names).size === names.length;
  if (names.length >= least && isDistinct && names.every((name) => name !== '')) return names;
  const expected = least === 1 ? 'names separated by commas' : 'two or more names separated by commas';
  throw mustBe('--dtype', expected, dtype, { fix: 'For example --dtype fp32,fast' });
}
