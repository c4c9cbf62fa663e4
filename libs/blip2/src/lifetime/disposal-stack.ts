/** What a stack disposes of: an object, or an action of the caller. */
type Disposer = () => void | PromiseLike<void>;

/**
 * Disposes of several resources in reverse order, as `AsyncDisposableStack` of ECMAScript does, which Node 20 lacks.
 * With `await using`, everything opened so far is closed if a later step fails; `move` hands it over on success.
 */
export class DisposalStack implements AsyncDisposable {
  #disposers: Disposer[] = [];

  /** Adds a resource and returns it. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.#disposers.push(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  /** Adds an action. */
  defer(dispose: Disposer): void {
    this.#disposers.push(dispose);
  }

  /** Moves everything to a new stack; this one disposes of nothing any more. */
  move(): DisposalStack {
    const moved = new DisposalStack();
    moved.#disposers = this.#disposers;
    this.#disposers = [];
    return moved;
  }

  /** Disposes of everything, also if some of it fails; rejects with the first failure. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const dispose of this.#disposers.splice(0).reverse()) {
      try {
        await dispose();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** Builds something from a resource, which is disposed of if that fails. */
export async function buildFrom<R extends AsyncDisposable, T>(
  resource: R,
  build: (resource: R) => T | Promise<T>,
): Promise<T> {
  await using stack = new DisposalStack();
  const built = await build(stack.use(resource));
  stack.move();
  return built;
}
