import { Help, type HelpConfiguration } from 'commander';

/** Minimum columns of a description on the same line as its term. */
const LEAST_COLUMNS = 40;
/** Columns before a term, and between term and description. */
const TERM_INDENT = 2;
const BELOW_INDENT = 6;

/** Help that also fits narrow terminals, where every description is wrapped below its term. */
export const helpFormat: HelpConfiguration = {
  minWidthToWrap: 20,
  formatItem: (term: string, termWidth: number, description: string, helper: Help): string => {
    const width = helper.helpWidth ?? Number.POSITIVE_INFINITY;
    if (!description || width - termWidth - 2 * TERM_INDENT >= LEAST_COLUMNS)
      return Help.prototype.formatItem.call(helper, term, termWidth, description, helper);
    const below = helper.boxWrap(description, width - BELOW_INDENT).split('\n');
    return [`${' '.repeat(TERM_INDENT)}${term}`, ...below.map((line) => `${' '.repeat(BELOW_INDENT)}${line}`)].join(
      '\n',
    );
  },
};
