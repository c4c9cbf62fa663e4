import { afterEach, describe, expect, test } from 'vitest';

import { createPartHost } from './create-part-host.ts';
import { importInWorkers, partModules } from './part-modules.ts';

const first = "data:text/javascript,globalThis.registered = ['first'];";
const second = "data:text/javascript,globalThis.registered.push('second');";
const part = `data:text/javascript,export const create = () => ({ seen: async () => globalThis.registered });`;
const broken = "data:text/javascript,throw new Error('no licence');";

/** Removes what a test added: the list is that of the whole process. */
const registered: string[] = [];
const add = (module: string): void => {
  importInWorkers(module);
  registered.push(module);
};
afterEach(() => {
  const all = Reflect.get(globalThis, Symbol.for('@blip2/part-modules')) as Set<string>;
  for (const module of registered.splice(0)) all.delete(module);
});

test('a module is imported once, in the order of registration', () => {
  add(first);
  add(second);
  add(first);
  expect(partModules()).toEqual([first, second]);
  expect(() => importInWorkers('./first.mjs')).toThrow('module must be the URL of a module, got "./first.mjs"');
});

describe.each(['worker', 'process'] as const)('in a %s', (isolate) => {
  test('modules are imported before a part is created, also if they were added after the start', async () => {
    add(first);
    await using host = createPartHost({ isolate });
    host.start(part);
    add(second);
    const created = await host.create<{ seen(): Promise<string[]> }>({ module: part, export: 'create' });
    expect(await created.seen()).toEqual(['first', 'second']);
  });

  test('a module that cannot be imported fails the creation, by name', async () => {
    add(broken);
    await using host = createPartHost({ isolate });
    await expect(host.create({ module: part, export: 'create' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('no licence') as string,
      details: { where: broken },
    });
  });
});
