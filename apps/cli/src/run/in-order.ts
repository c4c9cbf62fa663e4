/**
 * Yields the results of `begin` in the order of the items, with up to `ahead` of them in progress at a time. Nothing
 * starts before the first result is requested.
 */
export async function* inOrder<T, R>(
  items: Iterable<T>,
  ahead: number,
  begin: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const inProgress: Promise<R>[] = [];
  for (const item of items) {
    const result = begin(item);
    // If the consumer stops early, a failure of this item must not be unhandled.
    result.catch(() => {});
    inProgress.push(result);
    const [first] = inProgress;
    if (first === undefined || inProgress.length < ahead) continue;
    yield await first;
    inProgress.shift();
  }
  for (const result of inProgress) yield await result;
}
