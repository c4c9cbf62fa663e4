import { mustBe } from '@blip2/interfaces';

import type { Blip2TaskParts } from './blip2.ts';

const PARTS: Readonly<Record<keyof Blip2TaskParts, true>> = {
  vision: true,
  qformer: true,
  projection: true,
  language: true,
  processor: true,
};

/**
 * Checks that all parts of the tasks are objects.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function expectTaskParts(where: string, parts: object): void {
  if (typeof parts !== 'object' || (parts as object | null) === null)
    throw mustBe('parts', `an object with ${Object.keys(PARTS).join(', ')}`, parts, { where });
  for (const name of Object.keys(PARTS)) {
    const part: unknown = Reflect.get(parts, name);
    if (typeof part !== 'object' || part === null) throw mustBe(name, 'a part', part, { where });
  }
}
