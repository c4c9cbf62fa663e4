/** Calls `create` on first use and then returns the same promise. A failure is not kept: the next call retries. */
export function lazyPromise<T>(create: () => Promise<T>): () => Promise<T> {
  let promise: Promise<T> | undefined;
  return () => {
    promise ??= create().catch((error: unknown) => {
      promise = undefined;
      throw error;
    });
    return promise;
  };
}
