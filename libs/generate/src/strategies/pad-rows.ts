/** Pads rows on the right with `padTokenId` to the length of the longest. */
export function padRows(rows: readonly (readonly number[])[], padTokenId: number): number[][] {
  const longest = Math.max(0, ...rows.map((row) => row.length));
  return rows.map((row) => [...row, ...new Array<number>(longest - row.length).fill(padTokenId)]);
}
