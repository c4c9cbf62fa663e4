import { Help, type HelpConfiguration } from 'commander';

/** A description with fewer columns than this beside its term stands below it. */
const LEAST_COLUMNS_BESIDE = 40;
/** Columns in front of a term, and between term and description. */
const TERM_INDENT = 2;
const BELOW_INDENT = 6;

/** Help for narrow terminals too: there every description stands below its term, wrapped. */
export const helpFormat: HelpConfiguration = {
  minWidthToWrap: 20,
  formatItem: (term: string, termWidth: number, description: string, helper: Help): string => {
    const width = helper.helpWidth ?? Number.POSITIVE_INFINITY;
    if (!description || width - termWidth - 2 * TERM_INDENT >= LEAST_COLUMNS_BESIDE)
      return Help.prototype.formatItem.call(helper, term, termWidth, description, helper);
    const below = helper.boxWrap(description, width - BELOW_INDENT).split('\n');
    return [`${' '.repeat(TERM_INDENT)}${term}`, ...below.map((line) => `${' '.repeat(BELOW_INDENT)}${line}`)].join(
      '\n',
    );
  },
};
