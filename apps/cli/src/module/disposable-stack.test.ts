import { expect, test } from 'vitest';

import { assemble } from './disposable-stack.ts';

function recorder(): { readonly disposed: string[]; part(name: string, failure?: Error): AsyncDisposable } {
  const disposed: string[] = [];
  return {
    disposed,
    part: (name, failure) => ({
      async [Symbol.asyncDispose]() {
        disposed.push(name);
        if (failure) throw failure;
      },
    }),
  };
}

test('disposes of what was opened with the whole: the newest first, each once', async () => {
  const { disposed, part } = recorder();
  const { dispose } = await assemble(async ({ keep, dispose }) => {
    for (const name of ['a', 'b', 'c']) keep(part(name));
    return { dispose };
  });
  expect(disposed).toEqual([]);
  await dispose();
  await dispose();
  expect(disposed).toEqual(['c', 'b', 'a']);
});

test('disposes of it at once where the whole fails, and says why that failed', async () => {
  const { disposed, part } = recorder();
  const failing = assemble(async ({ keep }) => {
    keep(part('a'));
    keep(part('b', new TypeError('b does not end')));
    throw new TypeError('no c');
  });
  await expect(failing).rejects.toThrow('no c');
  expect(disposed).toEqual(['b', 'a']);
});

test('disposes of the others where one fails to end, and says so', async () => {
  const { disposed, part } = recorder();
  const { dispose } = await assemble(async ({ keep, dispose }) => {
    keep(part('a'));
    keep(part('b', new TypeError('b does not end')));
    return { dispose };
  });
  await expect(dispose()).rejects.toThrow('b does not end');
  expect(disposed).toEqual(['b', 'a']);
});
