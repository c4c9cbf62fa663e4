import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { downloadModel, openCheckpoint } from '../index.ts';
import { defaultCommit } from './hub-server.fixture.ts';
import { contents, hubTest, listing, modelId, neededPaths, servedContents, tinyRepository } from './hub-test.fixture.ts';
import { pythonCache, pythonCacheWithoutLinks } from './python-cache.fixture.ts';

const recordedTree = join(import.meta.dirname, 'python-tree-cache.fixture.json');
const root = 'models--someone--tiny-blip2';

/** The cache as it was recorded, with the contents of the repository. */
async function recreate(cacheDir: string, lines: readonly string[]): Promise<void> {
  const { files } = tinyRepository();
  const byLink = new Map(lines.flatMap((line) => {
    const [path = '', target] = line.split(' -> ');
    return target === undefined ? [] : [[join(dirname(path), target), path.split(`${defaultCommit}/`)[1] ?? '']];
  }));
  for (const line of lines) {
    const [path = '', target] = line.split(' -> ');
    await mkdir(dirname(join(cacheDir, path)), { recursive: true });
    if (target !== undefined) await symlink(target, join(cacheDir, path));
    else await writeFile(join(cacheDir, path), path.includes('refs/') ? defaultCommit : path.includes('trees/') ? await readFile(recordedTree) : (files[byLink.get(path) ?? path.split(`${defaultCommit}/`)[1] ?? ''] ?? ''));
  }
}

describe('the cache of huggingface_hub', () => {
  it('is what we write, link by link', async () => {
    const { cacheDir } = await hubTest();
    await downloadModel(modelId);
    expect(await listing(cacheDir)).toEqual(pythonCache);
    expect(await readFile(join(cacheDir, root, 'refs/main'), 'utf8')).toBe(defaultCommit);
    expect(await readFile(join(cacheDir, root, 'trees', `${defaultCommit}.json`), 'utf8')).toBe(await readFile(recordedTree, 'utf8'));
  });

  it('is what we write without links', async () => {
    const { cacheDir } = await hubTest();
    vi.stubEnv('HF_HUB_DISABLE_SYMLINKS', 'true');
    await downloadModel(modelId);
    expect(await listing(cacheDir)).toEqual(pythonCacheWithoutLinks);
  });

  it.each([['with links', pythonCache], ['without links', pythonCacheWithoutLinks]])('is read %s, and nothing is downloaded again', async (_, lines) => {
    const { server, cacheDir } = await hubTest();
    await recreate(cacheDir, lines);
    const folder = await downloadModel(modelId, { localFilesOnly: true });
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
    expect(await downloadModel(modelId)).toBe(folder);
    expect(server.requests.map(({ path }) => path)).toEqual([`/api/models/${modelId}/revision/main`]);
    expect(await listing(cacheDir)).toEqual(lines);
  });

  it('is read as older clients wrote it, without a listing', async () => {
    const { cacheDir } = await hubTest();
    await recreate(cacheDir, pythonCache.filter((line) => !line.includes('trees/') && !line.includes('CACHEDIR')));
    const folder = await downloadModel(modelId, { localFilesOnly: true });
    await rm(join(folder, neededPaths[2] ?? ''));
    await expect(downloadModel(modelId, { localFilesOnly: true })).rejects.toMatchObject({ code: 'OFFLINE', message: expect.stringContaining(neededPaths[2] ?? '') });
  });

  it('keeps its unfinished downloads: their owner may be at work', async () => {
    const { cacheDir } = await hubTest();
    const shard = pythonCache.find((line) => line.includes('model-00001'))?.split('/').at(-1) ?? '';
    const theirs = join(cacheDir, root, 'blobs', `${shard}.0a1b2c3d.incomplete`);
    await mkdir(dirname(theirs), { recursive: true });
    await writeFile(theirs, 'half');
    await downloadModel(modelId);
    expect(await readFile(theirs, 'utf8')).toBe('half');
  });

  it('with blobs in the store that all repositories share, opens as a checkpoint', async () => {
    const { cacheDir, server } = await hubTest();
    const header = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    const weights = Buffer.concat([Buffer.from([header.length, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(header), Buffer.alloc(4)]);
    server.options = { repositories: { [modelId]: { files: { 'config.json': '{}', 'model.safetensors': weights } } } };
    const folder = await downloadModel(modelId);
    const [blob = ''] = (await listing(join(cacheDir, root, 'snapshots'))).filter((line) => line.includes('model.safetensors')).map((line) => line.split('/').at(-1) ?? '');
    await mkdir(join(cacheDir, 'blobs/ab'), { recursive: true });
    await writeFile(join(cacheDir, 'blobs/ab', 'ab'.repeat(32)), weights);
    await rm(join(cacheDir, root, 'blobs', blob));
    await symlink(`../../blobs/ab/${'ab'.repeat(32)}`, join(cacheDir, root, 'blobs', blob));
    expect(await downloadModel(modelId, { localFilesOnly: true })).toBe(folder);
    expect([...(await openCheckpoint(folder)).tensors.keys()]).toEqual(['a']);
  });
});
