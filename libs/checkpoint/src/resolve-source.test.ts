import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveSource } from './index.ts';

describe('resolveSource', () => {
  it('takes a folder as it is', async () => {
    expect(await resolveSource(import.meta.dirname)).toBe(import.meta.dirname);
  });

  it.each([
    ['Salesforce/blip2-opt-2.7b', 'downloading'],
    ['gpt2', 'downloading'],
    [join(import.meta.dirname, 'nowhere'), 'does not exist'],
    [join(import.meta.dirname, 'index.ts'), 'not a folder'],
    ['', 'does not exist'],
  ])('refuses %j', async (source, named) => {
    await expect(resolveSource(source)).rejects.toMatchObject({ code: 'MISSING_FILE', message: expect.stringContaining(named) });
  });

  it('stops when asked', async () => {
    await expect(resolveSource(import.meta.dirname, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });
});
