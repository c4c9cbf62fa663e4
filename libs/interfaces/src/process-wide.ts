/**
 * A value that exists once in a thread, even if several copies of a package are installed: a program and a module that
 * it imports may each have their own. `name` must be unique, and `create` yield the same type in every version.
 */
export function processWide<T>(name: string, create: () => T): T {
  const key = Symbol.for(`@blip2/${name}`);
  const existing: unknown = Reflect.get(globalThis, key);
  // Only this function writes the property.
  if (existing !== undefined) return existing as T;
  const created = create();
  Object.defineProperty(globalThis, key, { value: created });
  return created;
}
