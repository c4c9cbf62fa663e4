import { expect, test } from 'vitest';

import { sessionKey } from './session-key.ts';

test('requests for the same outputs have the same key', () => {
  const key = sessionKey('decoder', { cache: true, layers: 0, norm: 'layernorm' });
  expect(sessionKey('decoder', { norm: 'layernorm', attentions: false, layers: 0, cache: true, past: undefined })).toBe(
    key,
  );
});

test.each([
  ['another graph', sessionKey('encoder', { cache: true })],
  ['another output', sessionKey('decoder', { cache: true, attentions: true })],
  ['a count of 0', sessionKey('decoder', { cache: true, layers: 0 })],
  ['another value', sessionKey('decoder', { cache: 'pairs' })],
])('%s has another key', (_, other) => {
  expect(other).not.toBe(sessionKey('decoder', { cache: true }));
});
