import { expect, test } from 'vitest';

import { proxyFetch, proxyFor } from './proxy.ts';

const P = 'http://proxy.example:3128';

test.each<[Record<string, string>, string, string | undefined]>([
  [{}, 'https://huggingface.co/x', undefined],
  [{ HTTPS_PROXY: P }, 'https://huggingface.co/x', P],
  [{ https_proxy: P }, 'https://huggingface.co/x', P],
  [{ https_proxy: '', HTTPS_PROXY: P }, 'https://huggingface.co/x', P],
  [{ https_proxy: P, HTTPS_PROXY: 'http://other' }, 'https://huggingface.co/x', P],
  [{ HTTP_PROXY: P }, 'https://huggingface.co/x', undefined],
  [{ HTTP_PROXY: P }, 'http://mirror.example/x', P],
  [{ HTTPS_PROXY: P }, 'http://mirror.example/x', undefined],
  [{ ALL_PROXY: P }, 'https://huggingface.co/x', P],
  [{ HTTPS_PROXY: 'proxy.example:3128' }, 'https://huggingface.co/x', P],
])('%o: %s goes through %s', (variables, url, expected) => {
  expect(proxyFor(new URL(url), variables)).toBe(expected);
});

test.each<[string, string, boolean]>([
  ['huggingface.co', 'https://huggingface.co/x', true],
  ['huggingface.co', 'https://cdn.huggingface.co/x', true],
  ['.huggingface.co', 'https://cdn.huggingface.co/x', true],
  ['*.huggingface.co', 'https://cdn.huggingface.co/x', true],
  ['HuggingFace.co', 'https://huggingface.co/x', true],
  ['huggingface.co', 'https://nothuggingface.co/x', false],
  ['localhost, 127.0.0.1', 'http://127.0.0.1:8080/x', true],
  ['localhost 127.0.0.1', 'http://localhost/x', true],
  ['127.0.0.1:8080', 'http://127.0.0.1:8080/x', true],
  ['127.0.0.1:8080', 'http://127.0.0.1:8081/x', false],
  ['huggingface.co:443', 'https://huggingface.co/x', true],
  ['[::1]', 'http://[::1]:8080/x', true],
  ['::1', 'http://[::1]:8080/x', true],
  ['*', 'https://huggingface.co/x', true],
  [' * ', 'https://huggingface.co/x', true],
  ['', 'https://huggingface.co/x', false],
  [',', 'https://huggingface.co/x', false],
])('no_proxy %j excludes %s: %s', (list, url, excluded) => {
  const variables = { http_proxy: P, https_proxy: P, no_proxy: list };
  expect(proxyFor(new URL(url), variables)).toBe(excluded ? undefined : P);
});

test.each(['socks5://user:secret@proxy:1080', 'http://', 'not a url'])(
  'the proxy %s is refused, and not shown',
  (value) => {
    expect(() => proxyFor(new URL('https://huggingface.co'), { HTTPS_PROXY: value })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.not.stringContaining('secret') }),
    );
  },
);

test('without a proxy, Node fetches', async () => {
  expect(await proxyFetch(new URL('https://huggingface.co'), {})).toBeUndefined();
});
