/** Yields the items of `source` and always requests the next one in advance, starting immediately. */
export function oneAhead<T>(source: AsyncIterator<T>): AsyncIterable<T> {
  let next = request(source);
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const { value, done } = await next;
        if (done) return;
        next = request(source);
        yield value;
      }
    },
  };
}

function request<T>(source: AsyncIterator<T>): Promise<IteratorResult<T>> {
  const next = source.next();
  // If the consumer stops early, a failure of this item must not be unhandled.
  next.catch(() => {});
  return next;
}
