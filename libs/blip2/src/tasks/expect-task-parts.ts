import { mustBe } from '@blip2/interfaces';

const PARTS = ['vision', 'qformer', 'projection', 'language', 'processor'] as const;

/**
 * Checks that all parts of the tasks are objects.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function expectTaskParts(where: string, parts: object): void {
  if (typeof parts !== 'object' || (parts as object | null) === null)
    throw mustBe('parts', `an object with ${PARTS.join(', ')}`, parts, { where });
  for (const name of PARTS) {
    const part: unknown = Reflect.get(parts, name);
    if (typeof part !== 'object' || part === null) throw mustBe(name, 'a part', part, { where });
  }
}
