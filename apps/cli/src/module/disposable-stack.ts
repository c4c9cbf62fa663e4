/**
 * Resources that are disposed of together: the part of `AsyncDisposableStack` (Node 24 and later) that is used here.
 */
export interface DisposableResources {
  /** Adds a resource and returns it. */
  use<Resource extends AsyncDisposable>(resource: Resource): Resource;
  /** Disposes of every resource once, in reverse order, even if one of them fails, and throws the first failure. */
  disposeAsync(): Promise<void>;
}

/**
 * Builds an object from resources. The object owns them and disposes of them with `disposeAsync`. If `build` throws,
 * they are disposed of immediately.
 */
export async function withDisposableStack<Built>(
  build: (resources: DisposableResources) => Promise<Built>,
): Promise<Built> {
  const resources = createStack();
  try {
    return await build(resources);
  } catch (error) {
    // The error of `build` is the cause; failures of disposing are its consequences.
    await resources.disposeAsync().catch(() => {});
    throw error;
  }
}

function createStack(): DisposableResources {
  const stack: AsyncDisposable[] = [];
  return {
    use(resource) {
      stack.push(resource);
      return resource;
    },
    async disposeAsync() {
      const failures: unknown[] = [];
      for (const resource of stack.splice(0).reverse()) {
        try {
          await resource[Symbol.asyncDispose]();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
