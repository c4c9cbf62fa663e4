import { expect, test } from 'vitest';

import { buildFrom, DisposalStack } from './disposal-stack.ts';

/** A resource that adds its name to `log` when it is disposed of. */
function resource(name: string, log: string[]): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      log.push(name);
    },
  };
}

test('resources and actions are disposed of in reverse order, once', async () => {
  const log: string[] = [];
  const stack = new DisposalStack();
  stack.use(resource('first', log));
  stack.defer(() => void log.push('second'));
  await stack[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
  expect(log).toEqual(['second', 'first']);
});

test('a failure does not keep the others from being disposed of', async () => {
  const log: string[] = [];
  const stack = new DisposalStack();
  stack.use(resource('first', log));
  stack.defer(() => Promise.reject(new Error('broken')));
  stack.use(resource('last', log));
  await expect(stack[Symbol.asyncDispose]()).rejects.toThrow('broken');
  expect(log).toEqual(['last', 'first']);
});

test('what was moved is disposed of by the new stack alone', async () => {
  const log: string[] = [];
  const stack = new DisposalStack();
  stack.use(resource('first', log));
  const moved = stack.move();
  await stack[Symbol.asyncDispose]();
  expect(log).toEqual([]);
  await moved[Symbol.asyncDispose]();
  expect(log).toEqual(['first']);
});

test('buildFrom disposes of its resource only if building fails', async () => {
  const log: string[] = [];
  expect(await buildFrom(resource('kept', log), () => 'built')).toBe('built');
  expect(log).toEqual([]);
  const failing = buildFrom(resource('closed', log), () => Promise.reject(new Error('broken')));
  await expect(failing).rejects.toThrow('broken');
  expect(log).toEqual(['closed']);
});
