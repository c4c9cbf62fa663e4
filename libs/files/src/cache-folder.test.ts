import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';

import { afterEach, describe, expect, test, vi } from 'vitest';

import { defaultCacheFolder, homeFolder } from './cache-folder.ts';

describe('defaultCacheFolder', () => {
  test('is BLIP2_CACHE, or a folder in the cache folder of the user', () => {
    expect(defaultCacheFolder({ BLIP2_CACHE: '/data/blip2', XDG_CACHE_HOME: '/xdg' })).toBe('/data/blip2');
    expect(defaultCacheFolder({ XDG_CACHE_HOME: '/xdg' })).toBe(join('/xdg', 'blip2'));
    expect(defaultCacheFolder({ BLIP2_CACHE: '', XDG_CACHE_HOME: '' })).toMatch(/[\\/]\.cache[\\/]blip2$|[\\/]blip2$/);
  });
  test('is never in the working folder', () => {
    for (const [name, value] of [
      ['HOME', ''],
      ['HOME', '.'],
      ['XDG_CACHE_HOME', 'cache'],
    ] as const)
      expect(isAbsolute(defaultCacheFolder({ [name]: value }))).toBe(true);
  });
});

describe('homeFolder', () => {
  afterEach(() => vi.doUnmock('node:os'));

  test('is HOME, or that of the user database', () => {
    expect(homeFolder('BLIP2_CACHE', { HOME: '/home/someone' })).toBe('/home/someone');
    vi.stubEnv('HOME', '');
    expect(homeFolder('BLIP2_CACHE', { HOME: '' })).toBe(userInfo().homedir);
    vi.unstubAllEnvs();
  });
  test('of a user id without an entry is an error that names the variable to set', async () => {
    const unknown = (): never => {
      throw Object.assign(new Error('uv_os_homedir returned ENOENT'), { code: 'ENOENT' });
    };
    vi.doMock('node:os', async (original) => ({
      ...(await original<typeof import('node:os')>()),
      homedir: unknown,
      userInfo: unknown,
    }));
    vi.resetModules();
    const fresh = await import('./cache-folder.ts');
    for (const HOME of ['', 'relative', undefined])
      expect(() => fresh.defaultCacheFolder({ HOME })).toThrow(
        expect.objectContaining({
          code: 'INVALID_ARGUMENT',
          details: expect.objectContaining({
            argument: 'BLIP2_CACHE',
            fix: expect.stringContaining('Set BLIP2_CACHE'),
          }),
        }),
      );
    expect(fresh.defaultCacheFolder({ BLIP2_CACHE: '/data' })).toBe('/data');
  });
});
