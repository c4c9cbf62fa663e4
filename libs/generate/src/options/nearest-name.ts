/** The name of `names` that takes the fewest edits to write instead of `unknown`; case, hyphens and underscores do not count. */
export function nearestName(unknown: string, names: readonly string[]): string | undefined {
  const distances = names.map((name) => editDistance(plain(unknown), plain(name)));
  return names[distances.indexOf(Math.min(...distances))];
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Levenshtein distance, one row of the table at a time. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const substitution = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[right.length]!;
}
