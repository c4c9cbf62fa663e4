/** Largest edit distance, relative to the longer name, that still counts as a typing error. */
const LARGEST_SHARE_OF_EDITS = 0.45;

/**
 * Finds the name most similar to a misspelt one, for the `fix` of an error; `undefined` if none is similar. Ignores
 * case, dashes and underscores. Shared by all layers that report unknown names, so it is kept here, next to the error
 * class, although this package otherwise contains types.
 */
export function nearestName(wrong: string, names: readonly string[]): string | undefined {
  const given = letters(wrong);
  const ranked = names
    .map((name) => ({
      name,
      edits: editDistance(given, letters(name)),
      longest: Math.max(given.length, letters(name).length),
    }))
    .filter(({ edits, longest }) => edits <= longest * LARGEST_SHARE_OF_EDITS)
    .sort((a, b) => a.edits - b.edits);
  return ranked[0]?.name;
}

function letters(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '');
}

/** Edit distance with insertions, deletions, substitutions and transpositions (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      const isTransposed = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isTransposed) edits = Math.min(edits, at(beforeLast, j - 2) + 1);
      row.push(edits);
    }
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}
