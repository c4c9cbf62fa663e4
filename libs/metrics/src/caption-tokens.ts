/** Characters that are written in another way before a text is split. */
const REPLACED: readonly (readonly [RegExp, string])[] = [
  [/[\u2018\u2019\u201a\u201b]/gu, "'"],
  [/[\u201c\u201d\u201e\u201f]/gu, '"'],
  [/\u2026/gu, '...'],
  [/[\u2012-\u2015]/gu, '--'],
];

const WORD = String.raw`[\p{L}\p{M}\p{N}]+`;
/** What a token can be, the first that fits. */
const TOKEN = new RegExp(
  [
    // Addresses are one token.
    String.raw`(?:https?:\/\/|www\.)[^\s<>"]*[\p{L}\p{N}\/]`,
    String.raw`[\p{L}\p{N}._-]+@[\p{L}\p{N}.-]+\.\p{L}+`,
    // Abbreviations keep their full stop; at the end of a text it is that of the sentence too.
    String.raw`(?<![\p{L}\p{N}])(?:mr|mrs|ms|dr|jr|sr|st|mt|vs|etc|ave|blvd)\.(?!\p{L})`,
    String.raw`(?<![\p{L}\p{N}])(?:\p{L}\.){2,}(?!\p{L})`,
    // 1,000  3.5  5:30  1/2
    String.raw`(?<![\p{L}\p{N}])\p{N}+(?:[.,:\/]\p{N}+)+(?!\p{L})`,
    String.raw`'?(?:o'clock)(?!\p{L})`,
    String.raw`'(?:em|til|cause|n)(?!\p{L})`,
    // O'Brien  d'Or
    String.raw`(?<![\p{L}\p{N}'])[dlo]'\p{L}{2,}`,
    // The ends of contractions and of possessives.
    String.raw`'(?:s|re|ve|ll|d|m)(?![\p{L}\p{N}])`,
    // and/or  AT&T  black-and-white  they (of they're)  ca (of can't)  n't
    String.raw`${WORD}(?:\/${WORD}){1,2}(?![\p{L}\p{N}\/])`,
    String.raw`n't(?![\p{L}\p{N}])`,
    String.raw`[\p{L}\p{M}\p{N}]+?(?=n't(?![\p{L}\p{N}]))`,
    String.raw`${WORD}(?:[-_&]${WORD})*`,
    String.raw`\.{2,}|-{2,}|'{2}|` + '`{2}',
    String.raw`[^\s]`,
  ].join('|'),
  'giu',
);

/** Words that the Penn Treebank writes as two. */
const SPLIT: ReadonlyMap<string, readonly [string, string]> = new Map([
  ['cannot', ['can', 'not']],
  ['gonna', ['gon', 'na']],
  ['gotta', ['got', 'ta']],
  ['wanna', ['wan', 'na']],
  ['lemme', ['lem', 'me']],
  ['gimme', ['gim', 'me']],
]);
/** Names of brackets, and the tokens that pycocoevalcap leaves out. */
const BRACKETS: ReadonlyMap<string, string> = new Map([
  ['(', '-lrb-'],
  [')', '-rrb-'],
  ['[', '-lsb-'],
  [']', '-rsb-'],
  ['{', '-lcb-'],
  ['}', '-rcb-'],
]);
const LEFT_OUT = /^(?:[.?!,:;"'`-]|\.{2,}|-{2,}|'{2}|`{2})$/u;

/**
 * The words of a caption by the rules of the Penn Treebank, in lower case and without punctuation: `"A man's dog can't
 * sit."` has `a man 's dog ca n't sit`. It is what `PTBTokenizer` of pycocoevalcap gives for captions of plain English;
 * that program (Stanford CoreNLP) knows more abbreviations, dates, smileys and the like. Brackets become `-lrb-` and
 * `-rrb-`, as there.
 */
export function captionTokens(text: string): string[] {
  const written = REPLACED.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
  return [...written.matchAll(TOKEN)]
    .map(([token]) => token.toLowerCase())
    .flatMap((token) => SPLIT.get(token) ?? [BRACKETS.get(token) ?? token])
    .filter((token) => !LEFT_OUT.test(token));
}
