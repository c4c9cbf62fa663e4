/** A part whose implementation can be replaced while others hold it. */
export interface SwitchablePart<T extends object> {
  /** The part as others hold it: its members are those of the current implementation. */
  readonly part: T;
  /** Replaces the implementation and returns the former one. */
  replace(next: T): T;
}

/** Makes a part replaceable. All implementations have the same members. */
export function switchablePart<T extends object>(first: T): SwitchablePart<T> {
  let current = first;
  const part: object = {};
  for (const name of Reflect.ownKeys(first)) {
    const enumerable = Object.getOwnPropertyDescriptor(first, name)?.enumerable ?? true;
    const isMethod = typeof Reflect.get(first, name) === 'function';
    const call = (...args: unknown[]): unknown =>
      Reflect.apply(Reflect.get(current, name) as (...args: unknown[]) => unknown, current, args);
    Object.defineProperty(
      part,
      name,
      isMethod ? { value: call, enumerable } : { get: () => Reflect.get(current, name) as unknown, enumerable },
    );
  }
  return {
    part: part as T,
    replace(next) {
      const former = current;
      current = next;
      return former;
    },
  };
}
