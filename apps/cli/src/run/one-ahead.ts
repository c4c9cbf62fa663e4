/**
 * The items of `source`, the next one always under way: it is begun at once, and again while each item is worked on.
 */
export function oneAhead<T>(source: AsyncIterator<T>): AsyncIterable<T> {
  let next = begin(source);
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const { value, done } = await next;
        if (done) return;
        next = begin(source);
        yield value;
      }
    },
  };
}

function begin<T>(source: AsyncIterator<T>): Promise<IteratorResult<T>> {
  const next = source.next();
  // Whoever stops before this item must not be told of its failure.
  next.catch(() => {});
  return next;
}
