import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

import { describe, expect, test, vi } from 'vitest';

import { temporaryCache } from '../fixtures/hub-test.ts';
import { type HubOptions, hubSettings } from './hub-settings.ts';

describe('hubSettings', () => {
  test.each<[Record<string, string>, string]>([
    [{}, join(homedir(), '.cache/huggingface/hub')],
    [{ XDG_CACHE_HOME: '/x' }, '/x/huggingface/hub'],
    [{ XDG_CACHE_HOME: 'relative' }, join(homedir(), '.cache/huggingface/hub')],
    [{ HOME: '' }, join(homedir(), '.cache/huggingface/hub')],
    [{ XDG_CACHE_HOME: '/x', HF_HOME: '/h' }, '/h/hub'],
    [{ HF_HOME: '/h', HUGGINGFACE_HUB_CACHE: '/old' }, '/old'],
    [{ HUGGINGFACE_HUB_CACHE: '/old', HF_HUB_CACHE: '/new' }, '/new'],
    [{ HF_HUB_CACHE: '', HF_HOME: '/h' }, '/h/hub'],
    [{ HF_HOME: '~/models' }, join(homedir(), 'models/hub')],
    [{ HF_HUB_CACHE: '~', HOME: '/home/someone' }, '/home/someone'],
    [{ HF_HUB_CACHE: '$DISK/a/${TEAM}/$UNKNOWN', DISK: '/disk', TEAM: 'vision' }, '/disk/a/vision/$UNKNOWN'],
    [{ HF_HUB_CACHE: '/a~b' }, '/a~b'],
  ])('%j puts the cache in %s', async (variables, folder) => {
    expect((await hubSettings({}, variables)).cacheFolder).toBe(folder);
  });

  test('needs no home folder if the cache is named, and names HF_HOME otherwise', async () => {
    const unknown = (): never => {
      throw Object.assign(new Error('uv_os_homedir returned ENOENT'), { code: 'ENOENT' });
    };
    vi.doMock('node:os', async (original) => ({
      ...(await original<typeof import('node:os')>()),
      homedir: unknown,
      userInfo: unknown,
    }));
    vi.resetModules();
    const fresh = await import('./hub-settings.ts');
    expect(await fresh.hubSettings({ cacheDir: '/mine' }, {})).toMatchObject({
      cacheFolder: '/mine',
      token: undefined,
    });
    expect((await fresh.hubSettings({}, { HF_HUB_CACHE: '/theirs', HOME: '' })).cacheFolder).toBe('/theirs');
    await expect(fresh.hubSettings({}, { HOME: '' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'HF_HOME' },
    });
    vi.doUnmock('node:os');
    vi.resetModules();
  });

  test('options take precedence over environment variables', async () => {
    const settings = await hubSettings(
      { cacheDir: '/mine', token: 'mine' },
      { HF_HUB_CACHE: '/theirs', HF_TOKEN: 'theirs' },
    );
    expect(settings).toMatchObject({ cacheFolder: '/mine', token: 'mine' });
  });

  test.each<[HubOptions, Record<string, string>, boolean]>([
    [{}, {}, false],
    [{ localFilesOnly: true }, {}, true],
    [{}, { HF_HUB_OFFLINE: '1' }, true],
    [{}, { HF_HUB_OFFLINE: 'True' }, true],
    [{}, { HF_HUB_OFFLINE: '0' }, false],
    [{}, { TRANSFORMERS_OFFLINE: 'ON' }, true],
  ])('%j %j: offline %s', async (options, variables, offline) => {
    expect((await hubSettings(options, variables)).offline).toBe(offline);
  });

  test.each(['https://hub.example.org/', 'http://127.0.0.1:8080', 'https://proxy.example.org/api/hub///'])(
    'strips the trailing slashes of the endpoint %s',
    async (HF_ENDPOINT) => {
      expect((await hubSettings({}, { HF_ENDPOINT })).endpoint).toBe(HF_ENDPOINT.replace(/\/+$/, ''));
    },
  );

  test.each(['ftp://x', 'nonsense', 'file:///etc', 'https://user:secret@x', 'https://x/?a=1'])(
    'refuses the endpoint %s',
    async (HF_ENDPOINT) => {
      await expect(hubSettings({}, { HF_ENDPOINT })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.not.stringContaining('secret'),
      });
    },
  );

  test('reads the token stored by `hf auth login`', async () => {
    const home = await temporaryCache();
    expect((await hubSettings({}, { HF_HOME: home })).token).toBeUndefined();
    await writeFile(join(home, 'token'), 'kept\n');
    expect((await hubSettings({}, { HF_HOME: home })).token).toBe('kept');
    expect((await hubSettings({}, { HF_HOME: home, HF_TOKEN: ' given\n' })).token).toBe('given');
    for (const empty of ['', ' '])
      expect((await hubSettings({}, { HF_HOME: home, HF_TOKEN: empty, HUGGING_FACE_HUB_TOKEN: 'older' })).token).toBe(
        'older',
      );
    expect(
      (await hubSettings({}, { HF_HOME: home, HF_TOKEN: 'given', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).token,
    ).toBeUndefined();
    const elsewhere = join(home, 'elsewhere/token');
    await mkdir(dirname(elsewhere));
    await writeFile(elsewhere, 'other');
    expect((await hubSettings({}, { HF_HOME: home, HF_TOKEN_PATH: elsewhere })).token).toBe('other');
  });

  test('refuses an invalid token without quoting it', async () => {
    await expect(hubSettings({ token: 'hf_secret\nX-Evil: 1' }, {})).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.not.stringContaining('secret'),
    });
  });

  test('reads the timeouts in seconds', async () => {
    expect(await hubSettings({}, { HF_HUB_ETAG_TIMEOUT: '3', HF_HUB_DOWNLOAD_TIMEOUT: 'soon' })).toMatchObject({
      responseTimeout: 3000,
      stallTimeout: 10_000,
    });
  });
});
