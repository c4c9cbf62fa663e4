/**
 * Calls `work` for every item, up to `limit` at a time. After a failure no more are started; the error thrown is that
 * of the first item of the list that failed.
 */
export async function forEachInParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const failures: { readonly index: number; readonly error: unknown }[] = [];
  const remaining = items.entries();
  async function workThrough(): Promise<void> {
    for (const [index, item] of remaining) {
      if (failures.length > 0) return;
      await work(item, index).catch((error: unknown) => failures.push({ index, error }));
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, workThrough));
  const [first] = failures.sort((a, b) => a.index - b.index);
  if (first) throw first.error;
}
