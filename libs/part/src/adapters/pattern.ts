import { isWordCharacter, parsePattern, type PatternNode, refusedPattern } from './pattern-syntax.ts';

/** A compiled regular expression. Matching takes time proportional to its states times the length of the text. */
export interface Pattern {
  /** Whether the whole text matches, as `re.fullmatch` of Python. */
  matches(text: string): boolean;
}

/** States of all patterns are limited, so that counted repetitions of repetitions stay small. */
const MAX_STATES = 5000;
/** Steps of all searches with the patterns of one adapter, a few seconds. Real adapters need less than a tenth. */
const MAX_STEPS = 50_000_000;

/** A limit of the work of several patterns. */
export interface PatternBudget {
  /** Remaining steps. */
  steps: number;
}

/** The budget of the patterns of one adapter. */
export function patternBudget(): PatternBudget {
  return { steps: MAX_STEPS };
}

type State =
  | { kind: 'character'; test: (character: string) => boolean; next: number }
  | { kind: 'split'; next: number; other: number }
  | { kind: 'position'; at: 'start' | 'end' | 'boundary' | 'inside'; next: number }
  | { kind: 'ahead'; start: number; negative: boolean; next: number }
  | { kind: 'accept' };

/**
 * Compiles a regular expression of Python for `re.fullmatch`. It is not run by an engine that backtracks: a pattern of
 * an untrusted file could take that one years.
 * @throws Blip2Error `INVALID_CONFIG` for a pattern that is not supported or too large; `matches` for too much work.
 */
export function compilePattern(text: string, where: string, budget: PatternBudget = patternBudget()): Pattern {
  const states: State[] = [{ kind: 'accept' }];
  const add = (state: State): number => {
    if (states.length >= MAX_STATES) throw refusedPattern(text, where, 'it is too large');
    states.push(state);
    return states.length - 1;
  };

  /** Adds the states of a node that continue at `next`. Returns the first. */
  function build(node: PatternNode, next: number): number {
    switch (node.kind) {
      case 'character':
        return add({ kind: 'character', test: node.test, next });
      case 'position':
        return add({ kind: 'position', at: node.at, next });
      case 'ahead':
        return add({ kind: 'ahead', start: build(node.item, 0), negative: node.negative, next });
      case 'sequence':
        return node.items.reduceRight((following, item) => build(item, following), next);
      case 'choice':
        return node.options
          .map((option) => build(option, next))
          .reduce((first, second) => add({ kind: 'split', next: first, other: second }));
      case 'repeat':
        return buildRepeat(node, next);
    }
  }

  function buildRepeat({ item, least, most }: PatternNode & { kind: 'repeat' }, next: number): number {
    let following = next;
    if (most === Infinity) {
      const loop = { kind: 'split' as const, next, other: next };
      following = add(loop);
      loop.other = build(item, following);
    } else for (let i = least; i < most; i++) following = add({ kind: 'split', next, other: build(item, following) });
    for (let i = 0; i < least; i++) following = build(item, following);
    return following;
  }

  const start = build(parsePattern(text, where), 0);

  return {
    matches(subject) {
      const characters = [...subject];
      const { length } = characters;
      const isWord = (at: number): boolean => isWordCharacter(characters[at] ?? '');
      const aheads = new Map<number, boolean>();

      function holds(at: 'start' | 'end' | 'boundary' | 'inside', position: number): boolean {
        if (at === 'start') return position === 0;
        if (at === 'end') return position === length;
        return (isWord(position - 1) !== isWord(position)) === (at === 'boundary');
      }

      /** Whether the accepting state is reached; at the end of the text if `whole`. Visits each state once a place. */
      function search(first: number, from: number, whole: boolean): boolean {
        const seen = new Uint8Array(states.length * (length + 1));
        const open: number[] = [first * (length + 1) + from];
        for (let place = open.pop(); place !== undefined; place = open.pop()) {
          if (seen[place] === 1) continue;
          seen[place] = 1;
          if (--budget.steps < 0) throw refusedPattern(text, where, 'matching it takes too long');
          const position = place % (length + 1);
          const state = states[(place - position) / (length + 1)];
          const go = (next: number, to = position): void => void open.push(next * (length + 1) + to);
          if (state?.kind === 'accept') {
            if (!whole || position === length) return true;
          } else if (state?.kind === 'character') {
            if (position < length && state.test(characters[position] ?? '')) go(state.next, position + 1);
          } else if (state?.kind === 'split') {
            go(state.next);
            go(state.other);
          } else if (state?.kind === 'position') {
            if (holds(state.at, position)) go(state.next);
          } else if (state) {
            const key = state.start * (length + 1) + position;
            const found = aheads.get(key) ?? search(state.start, position, false);
            aheads.set(key, found);
            if (found !== state.negative) go(state.next);
          }
        }
        return false;
      }
      return search(start, 0, true);
    },
  };
}
