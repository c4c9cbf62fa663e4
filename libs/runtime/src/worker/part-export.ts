import { Blip2Error, messageOf, mustBe } from '@blip2/interfaces';

/** The function that creates a part, and its arguments: `(await import(module))[export](...args)`. */
export interface PartSpec {
  /** URL of an ES module, e.g. `new URL('./my-vision.js', import.meta.url).href`. */
  readonly module: string | URL;
  /** An exported function, or a dotted path to one: `Blip2VisionModel.fromPretrained`. */
  readonly export: string;
  readonly args?: readonly unknown[];
  /**
   * Called before and after the part is created again in a worker that replaces its own. It rejects if the result
   * would be another part, such as one of files that have changed; so does then the call that needs the part.
   */
  readonly expectUnchanged?: () => Promise<void>;
}

/**
 * Imports the module of a part and calls its export.
 *
 * @throws Blip2Error `INVALID_ARGUMENT` if there is no such module or function, or it does not return an object.
 */
export async function callPartExport({ module, export: path, args = [] }: PartSpec): Promise<object> {
  const namespace = await importPartModule(String(module));
  let owner: unknown;
  let found: unknown = namespace;
  for (const name of path.split('.')) {
    owner = found;
    found = isObject(owner) && name in owner ? Reflect.get(owner, name) : undefined;
  }
  if (typeof found !== 'function') {
    throw new Blip2Error('INVALID_ARGUMENT', `The module must export a function ${path}`, {
      where: String(module),
      got: `the exports ${Object.keys(namespace).join(', ')}`,
    });
  }
  const part: unknown = await Reflect.apply(found, owner, args);
  if (!isObject(part))
    throw new Blip2Error('INVALID_ARGUMENT', `${path} must return a part`, {
      where: String(module),
      expected: 'an object',
      got: part === null ? 'null' : typeof part,
    });
  return part;
}

/**
 * Imports the module of a part.
 *
 * @throws Blip2Error `INVALID_ARGUMENT` if `url` is not a URL or the module cannot be imported.
 */
export async function importPartModule(url: string): Promise<object> {
  if (!URL.canParse(url))
    throw mustBe('module', 'a URL', url, { fix: `Pass new URL('./module.js', import.meta.url).href` });
  try {
    const namespace: object = await import(/* @vite-ignore */ url);
    return namespace;
  } catch (cause) {
    if (cause instanceof Blip2Error) throw cause;
    throw new Blip2Error('INVALID_ARGUMENT', 'The module of the part could not be imported', {
      where: url,
      got: messageOf(cause),
      cause,
    });
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
