import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { resolveSource } from './index.ts';

describe('resolveSource', () => {
  test('returns an existing folder unchanged', async () => {
    expect(await resolveSource(import.meta.dirname)).toBe(import.meta.dirname);
  });

  test.each([
    [join(import.meta.dirname, 'nowhere'), 'does not exist'],
    [join(import.meta.dirname, 'index.ts'), 'not a folder'],
    ['', 'does not exist'],
    ['./nowhere/model', 'does not exist'],
    ['nowhere/model/x', 'does not exist'],
    ['../model', 'does not exist'],
  ])('refuses %j', async (source, named) => {
    await expect(resolveSource(source)).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining(named),
    });
  });

  test.each(['Salesforce/blip2-flan-t5-xl', 'gpt2'])('looks for the repository id %s in the cache', async (id) => {
    await expect(
      resolveSource(id, { localFilesOnly: true, cacheDir: join(import.meta.dirname, 'nowhere') }),
    ).rejects.toMatchObject({ code: 'OFFLINE', message: expect.stringContaining(id) });
  });

  test('rejects if aborted', async () => {
    await expect(resolveSource(import.meta.dirname, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});
