/**
 * What `begin` makes of the items, in their order. Up to `ahead` are under way at a time; nothing is begun before it is
 * asked for the first.
 */
export async function* inOrder<T, R>(
  items: Iterable<T>,
  ahead: number,
  begin: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  for (const item of items) {
    const made = begin(item);
    // Whoever stops before this item must not be told of its failure.
    made.catch(() => {});
    underWay.push(made);
    const [first] = underWay;
    if (first === undefined || underWay.length < ahead) continue;
    yield await first;
    underWay.shift();
  }
  for (const made of underWay) yield await made;
}
