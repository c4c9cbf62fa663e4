import { describe, expect, test, vi } from 'vitest';

import { contents, hubTest, impatientIo, servedContents } from '../fixtures/hub-test.ts';
import { MODEL_ID, tinyRepository } from '../fixtures/tiny-repository.ts';
import { downloadModel } from '../index.ts';
import { type HubIo, hubIo } from './hub-io.ts';
import { hubRequest } from './hub-request.ts';
import { hubSettings } from './hub-settings.ts';

const token = 'hf_verySecret';
const served = { repositories: { [MODEL_ID]: { ...tinyRepository(), access: 'private' as const } }, token };

describe('the token', () => {
  test.each([
    ['as an option', { token }, {}],
    ['as a variable', {}, { HF_TOKEN: token }],
  ])('%s is sent to the Hub and not to its storage', async (_, options, variables) => {
    const { server } = await hubTest(served);
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    expect(await contents(await downloadModel(MODEL_ID, options))).toEqual(servedContents(tinyRepository()));
    const [hub, storage] = [
      server.requests.filter(({ host }) => host === 'hub'),
      server.requests.filter(({ host }) => host === 'storage'),
    ];
    expect(hub.every(({ headers }) => headers.authorization === `Bearer ${token}`)).toBe(true);
    expect(storage.length).toBeGreaterThan(0);
    expect(JSON.stringify(storage)).not.toContain(token);
  });

  test('appears in no error', async () => {
    const { server } = await hubTest({ ...served, fault: () => 'flip' });
    const errors: unknown[] = [await downloadModel(MODEL_ID, { token }, impatientIo).catch((error: unknown) => error)];
    await server.close();
    errors.push(await downloadModel(MODEL_ID, { token }, impatientIo).catch((error: unknown) => error));
    for (let error of errors) {
      expect(error).toBeInstanceOf(Error);
      for (; error instanceof Error; error = error.cause)
        expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toMatch(/verySecret|signature=/);
    }
  });

  test.each([
    ['private', undefined, 'NOT_FOUND', 'needs a token'],
    ['private', 'hf_wrong', 'NOT_FOUND', 'that the token has access'],
    ['gated', undefined, 'UNAUTHORIZED', 'Accept them at http'],
    ['gated', 'hf_wrong', 'UNAUTHORIZED', 'Accept them at http'],
  ] as const)('%s repository, token %s: %s', async (access, given, code, named) => {
    await hubTest({ repositories: { [MODEL_ID]: { ...tinyRepository(), access } }, token });
    await expect(downloadModel(MODEL_ID, given === undefined ? {} : { token: given })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(named),
    });
  });
});

describe('redirects', () => {
  const redirecting = (hops: Readonly<Record<string, string>>, seen: [string, string | null][]): HubIo => ({
    ...hubIo,
    fetch: async (url, { headers }) => {
      seen.push([url, new Headers(headers).get('authorization')]);
      const location = hops[url];
      return location === undefined ? new Response('here') : new Response(null, { status: 302, headers: { location } });
    },
  });
  const session = async (io: HubIo) => ({
    settings: await hubSettings({ token }, { HF_ENDPOINT: 'https://hub.example.org' }),
    io,
    signal: undefined,
  });

  test('drop the token for another host, port or scheme', async () => {
    const seen: [string, string | null][] = [];
    const io = redirecting(
      {
        'https://hub.example.org/a': '/b',
        'https://hub.example.org/b': 'https://hub.example.org:8443/c',
        'https://hub.example.org:8443/c': 'https://cdn.example.org/d',
        'https://cdn.example.org/d': 'https://hub.example.org.evil.example/e',
      },
      seen,
    );
    await hubRequest(await session(io), 'https://hub.example.org/a');
    expect(seen.map(([, authorization]) => authorization)).toEqual([
      `Bearer ${token}`,
      `Bearer ${token}`,
      null,
      null,
      null,
    ]);
  });

  test.each([
    ['http://hub.example.org/b', 'encrypted'],
    ['file:///etc/passwd', 'encrypted'],
    ['data:text/plain,x', 'encrypted'],
    ['https://', 'encrypted'],
    ['https://hub.example.org/a', 'circle'],
  ])('to %s are refused', async (location, named) => {
    const seen: [string, string | null][] = [];
    await expect(
      hubRequest(
        await session(redirecting({ 'https://hub.example.org/a': location }, seen)),
        'https://hub.example.org/a',
      ),
    ).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED', message: expect.stringContaining(named) });
    expect(seen.every(([url]) => url === 'https://hub.example.org/a')).toBe(true);
  });
});
