import { expect, test } from 'vitest';

import { impatientIo } from '../fixtures/hub-test.ts';
import { hubJson } from './hub-json.ts';
import { hubSettings } from './hub-settings.ts';

test.each([
  ['a login page', '<html>', 'its syntax is wrong'],
  ['brackets', '['.repeat(100_000), 'it has too many levels'],
])('an API response that is %s is refused', async (_, body, rule) => {
  const io = { ...impatientIo, fetch: async (): Promise<Response> => new Response(body) };
  const session = { settings: await hubSettings(), io, signal: undefined };
  await expect(hubJson(session, 'https://hub.example.org/api', { id: 'a/b', revision: 'main' })).rejects.toMatchObject({
    code: 'DOWNLOAD_FAILED',
    details: { got: `no JSON: ${rule}`, fix: 'Check HF_ENDPOINT and the proxy settings' },
  });
});
