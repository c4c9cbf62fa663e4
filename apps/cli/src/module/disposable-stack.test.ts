import { expect, test } from 'vitest';

import { withDisposableStack } from './disposable-stack.ts';

function recorder(): { readonly disposed: string[]; resource(name: string, failure?: Error): AsyncDisposable } {
  const disposed: string[] = [];
  return {
    disposed,
    resource: (name, failure) => ({
      async [Symbol.asyncDispose]() {
        disposed.push(name);
        if (failure) throw failure;
      },
    }),
  };
}

test('disposes of the resources with the built object: in reverse order, each once', async () => {
  const { disposed, resource } = recorder();
  const { dispose } = await withDisposableStack(async ({ use, disposeAsync }) => {
    for (const name of ['a', 'b', 'c']) use(resource(name));
    return { dispose: disposeAsync };
  });
  expect(disposed).toEqual([]);
  await dispose();
  await dispose();
  expect(disposed).toEqual(['c', 'b', 'a']);
});

test('disposes of them immediately if building fails, and throws the error of building', async () => {
  const { disposed, resource } = recorder();
  const failing = withDisposableStack(async ({ use }) => {
    use(resource('a'));
    use(resource('b', new TypeError('b cannot be disposed of')));
    throw new TypeError('no c');
  });
  await expect(failing).rejects.toThrow('no c');
  expect(disposed).toEqual(['b', 'a']);
});

test('disposes of the others if one fails, and throws its error', async () => {
  const { disposed, resource } = recorder();
  const { dispose } = await withDisposableStack(async ({ use, disposeAsync }) => {
    use(resource('a'));
    use(resource('b', new TypeError('b cannot be disposed of')));
    return { dispose: disposeAsync };
  });
  await expect(dispose()).rejects.toThrow('b cannot be disposed of');
  expect(disposed).toEqual(['b', 'a']);
});
