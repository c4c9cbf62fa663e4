import { Blip2Error } from '@blip2/interfaces';

/** Whether a character, given as text, matches. */
export type CharacterTest = (character: string) => boolean;

/** The syntax tree of a regular expression. */
export type PatternNode =
  | { readonly kind: 'character'; readonly test: CharacterTest }
  | { readonly kind: 'sequence'; readonly items: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly options: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly item: PatternNode; readonly least: number; readonly most: number }
  | { readonly kind: 'position'; readonly at: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly kind: 'ahead'; readonly item: PatternNode; readonly negative: boolean };

/** Longest accepted text. Published patterns have up to about 500 characters. */
const MAX_LENGTH = 10_000;
const MAX_DEPTH = 50;
const MAX_REPEATS = 1000;

/** The error for a pattern that is not supported. `where` is the option with the pattern. */
export function refusedPattern(pattern: string, where: string, rule: string): Blip2Error {
  const shown = pattern.length > 200 ? `${pattern.slice(0, 200)}…` : pattern;
  return new Blip2Error('INVALID_CONFIG', `The regular expression cannot be used: ${rule}`, {
    where,
    got: JSON.stringify(shown),
    fix: 'Replace it by the list of the module names',
  });
}

/**
 * Parses a regular expression of Python: characters, classes, groups, choices, repetitions, lookahead, anchors and
 * `\b`. What a linear-time search cannot do (references to groups) is refused, and so are lookbehind and flags.
 * @throws Blip2Error `INVALID_CONFIG`
 */
export function parsePattern(text: string, where: string): PatternNode {
  const refuse = (rule: string): Blip2Error => refusedPattern(text, where, rule);
  if (text.length > MAX_LENGTH) throw refuse(`it has more than ${MAX_LENGTH} characters`);
  const characters = [...text];
  let at = 0;
  let depth = 0;

  const peek = (): string | undefined => characters[at];
  const eat = (expected: string): boolean => {
    if (
      !characters
        .slice(at, at + expected.length)
        .join('')
        .startsWith(expected)
    )
      return false;
    at += expected.length;
    return true;
  };

  function choice(): PatternNode {
    if (++depth > MAX_DEPTH) throw refuse('its groups are nested too deeply');
    const options = [sequence()];
    while (eat('|')) options.push(sequence());
    depth--;
    const [only] = options;
    return options.length === 1 && only ? only : { kind: 'choice', options };
  }

  function sequence(): PatternNode {
    const items: PatternNode[] = [];
    for (let next = peek(); next !== undefined && next !== '|' && next !== ')'; next = peek())
      items.push(repeated(atom()));
    return { kind: 'sequence', items };
  }

  function repeated(item: PatternNode): PatternNode {
    const counts = quantifier();
    if (!counts) return item;
    if (item.kind === 'position' || item.kind === 'ahead') throw refuse('a position cannot be repeated');
    // Lazy repetitions match the same texts. Possessive ones do not.
    if (!eat('?') && peek() === '+') throw refuse('possessive repetitions are not supported');
    if (quantifier()) throw refuse('a repetition follows a repetition');
    return { kind: 'repeat', item, ...counts };
  }

  function quantifier(): { readonly least: number; readonly most: number } | undefined {
    if (eat('*')) return { least: 0, most: Infinity };
    if (eat('+')) return { least: 1, most: Infinity };
    if (eat('?')) return { least: 0, most: 1 };
    const rest = characters.slice(at, at + 16).join('');
    const [whole, from = '', comma, to = ''] = /^\{(\d*)(,?)(\d*)\}/.exec(rest) ?? [];
    // As in Python, braces without numbers are characters.
    if (whole === undefined || (from === '' && to === '')) return undefined;
    at += whole.length;
    const least = Number(from);
    const most = comma === '' ? least : to === '' ? Infinity : Number(to);
    if (least > MAX_REPEATS || (most > MAX_REPEATS && most !== Infinity))
      throw refuse(`it repeats more than ${MAX_REPEATS} times`);
    if (least > most) throw refuse('a repetition has its numbers in the wrong order');
    return { least, most };
  }

  function atom(): PatternNode {
    if (eat('(')) return group();
    if (eat('[')) return characterClass();
    if (eat('^')) return { kind: 'position', at: 'start' };
    if (eat('$')) return { kind: 'position', at: 'end' };
    if (eat('.')) return { kind: 'character', test: (character) => character !== '\n' };
    if (eat('\\')) return escape();
    const character = peek() ?? '';
    if ('*+?'.includes(character)) throw refuse('there is nothing to repeat');
    at++;
    return { kind: 'character', test: (other) => other === character };
  }

  function group(): PatternNode {
    const ahead = eat('?=') ? 'positive' : eat('?!') ? 'negative' : undefined;
    if (!ahead && peek() === '?' && !eat('?:') && !eat('?P<')) throw refuse('this kind of group is not supported');
    if (!ahead && characters[at - 1] === '<') while (at < characters.length && !eat('>')) at++;
    const item = choice();
    if (!eat(')')) throw refuse('a group is not closed');
    return ahead ? { kind: 'ahead', item, negative: ahead === 'negative' } : item;
  }

  function escape(): PatternNode {
    const character = peek();
    if (character === undefined) throw refuse('it ends with a backslash');
    at++;
    if (character === 'b') return { kind: 'position', at: 'boundary' };
    if (character === 'B') return { kind: 'position', at: 'inside' };
    if (character === 'A') return { kind: 'position', at: 'start' };
    if (character === 'Z') return { kind: 'position', at: 'end' };
    return { kind: 'character', test: escapedTest(character) };
  }

  function escapedTest(character: string): CharacterTest {
    const test = CLASSES[character];
    if (test) return test;
    if (/[\p{L}\p{N}]/u.test(character)) throw refuse(`\\${character} is not supported`);
    return (other) => other === character;
  }

  function characterClass(): PatternNode {
    const negative = eat('^');
    const tests: CharacterTest[] = [];
    for (let first = true; first || peek() !== ']'; first = false) {
      const low = classCharacter();
      if (typeof low === 'function' || peek() !== '-' || characters[at + 1] === ']') {
        tests.push(typeof low === 'function' ? low : (other) => other === low);
        continue;
      }
      at++;
      const high = classCharacter();
      if (typeof high === 'function' || high < low) throw refuse('a range of characters is not valid');
      tests.push((other) => other >= low && other <= high);
    }
    at++;
    return { kind: 'character', test: (character) => tests.some((test) => test(character)) !== negative };
  }

  function classCharacter(): string | CharacterTest {
    const character = peek();
    if (character === undefined) throw refuse('a class of characters is not closed');
    at++;
    if (character !== '\\') return character;
    const escaped = peek();
    if (escaped === undefined) throw refuse('it ends with a backslash');
    at++;
    return CLASSES[escaped] ?? (/[\p{L}\p{N}]/u.test(escaped) ? escapedTest(escaped) : escaped);
  }

  const node = choice();
  if (at < characters.length) throw refuse('a group is closed that was not opened');
  return node;
}

/** Whether a character belongs to a word. */
export const isWordCharacter: CharacterTest = (character) => /[\p{L}\p{N}_]/u.test(character);
const isDigit: CharacterTest = (character) => /\p{Nd}/u.test(character);
const isSpace: CharacterTest = (character) => /\s/u.test(character);

const CLASSES: Readonly<Record<string, CharacterTest>> = Object.assign(Object.create(null) as object, {
  d: isDigit,
  D: (character: string) => !isDigit(character),
  w: isWordCharacter,
  W: (character: string) => !isWordCharacter(character),
  s: isSpace,
  S: (character: string) => !isSpace(character),
});
