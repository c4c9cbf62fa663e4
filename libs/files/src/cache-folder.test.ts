import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { defaultCacheFolder } from './cache-folder.ts';

describe('defaultCacheFolder', () => {
  test('is BLIP2_CACHE, or a folder in the cache folder of the user', () => {
    expect(defaultCacheFolder({ BLIP2_CACHE: '/data/blip2', XDG_CACHE_HOME: '/xdg' })).toBe('/data/blip2');
    expect(defaultCacheFolder({ XDG_CACHE_HOME: '/xdg' })).toBe(join('/xdg', 'blip2'));
    expect(defaultCacheFolder({ BLIP2_CACHE: '', XDG_CACHE_HOME: '' })).toMatch(/[\\/]\.cache[\\/]blip2$|[\\/]blip2$/);
  });
});
