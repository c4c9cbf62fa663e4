import { decodeImage } from '@blip2/processor';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runFake } from '../fakes/fake-environment.ts';
import { repository } from '../fakes/spawn-blip2.ts';
import { temporaryFolder } from '../fakes/temporary-folder.ts';
import { demoModelFolder } from '../model/demo-model.ts';
import { loadHeatmapModel } from '../model/load-heatmap-model.ts';

describe('blip2 heatmap', () => {
  it('writes what the model drew, over what was there before', async () => {
    const at = await temporaryFolder({ 'a b.jpg': 'picture', 'out.png': 'older' });
    const { exitCode, stdout, calls } = await runFake(['heatmap', at('a b.jpg'), '-o', at('out.png'), '--layer', '1']);
    expect([exitCode, stdout]).toEqual([0, '']);
    expect(calls).toMatchObject([{ name: 'load', source: demoModelFolder }, { name: 'heatmap', image: 'picture', layer: 1 }, { name: 'dispose' }]);
    expect(await readFile(at('out.png'), 'utf8')).toBe('picture');
    expect((await readdir(at())).sort()).toEqual(['a b.jpg', 'out.png']);
  });

  it('says which picture cannot be opened and leaves no file', async () => {
    const at = await temporaryFolder({ bad: 'bad' });
    for (const [name, code] of [['bad', 'INVALID_IMAGE'], ['none', 'MISSING_FILE']] as const) {
      const { exitCode, stderr, calls } = await runFake(['heatmap', at(name), '-o', at('out.png')]);
      expect([exitCode, calls]).toEqual([3, []]);
      expect(stderr).toContain(`${at(name)}: ${code}`);
    }
    expect(await readdir(at())).toEqual(['bad']);
  });

  it('refuses several pictures, no output, another kind of output, the input as output, and a text', async () => {
    const at = await temporaryFolder({ 'a.png': 'a', 'b.png': 'b' });
    const out = ['-o', at('out.png')];
    for (const argv of [[at('a.png'), at('b.png'), ...out], [at(), ...out], [at('a.png')], [at('a.png'), '-o', at('out.jpg')], [at('a.png'), '-o', at('a.png')], [at('a.png'), '-t', 'a dog', ...out], [...out]]) {
      const { exitCode, calls } = await runFake(['heatmap', ...argv]);
      expect([exitCode, calls], argv.join(' ')).toEqual([2, []]);
    }
    expect((await readdir(at())).sort()).toEqual(['a.png', 'b.png']);
  });

  it('leaves nothing behind when it is interrupted or fails', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const stopped = await runFake(['heatmap', at('a'), '-o', at('out.png')], { onCall: ({ name }, signals) => void (name === 'heatmap' && signals.emit('SIGINT')) });
    expect(stopped.exitCode).toBe(130);
    const failed = await runFake(['heatmap', at('a'), '-o', at('out.png')], { onCall: ({ name }) => { if (name === 'heatmap') throw new TypeError('broken'); } });
    expect(failed.exitCode).toBe(1);
    expect(await readdir(at())).toEqual(['a']);
  });

  it('says in its help what the map does not show', async () => {
    const { exitCode, stdout } = await runFake(['heatmap', '--help']);
    expect(exitCode).toBe(0);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('not why the model says something');
  });
});

describe('the model behind blip2 heatmap', () => {
  it.each(['left-of.png', 'wide.png'])('draws a PNG of the size of %s', async (name) => {
    const picture = await decodeImage(join(repository, 'examples', name));
    const { signal } = new AbortController();
    await using model = await loadHeatmapModel(demoModelFolder, { signal, localFilesOnly: true, threads: 1 });
    const drawn = await decodeImage(await model.overlay(picture, { signal }));
    expect(drawn.dims).toEqual(picture.dims);
    expect(Buffer.compare(drawn.data, picture.data)).not.toBe(0);
    expect(Buffer.compare(drawn.data, (await decodeImage(await model.overlay(picture, { signal, layer: 0 }))).data)).not.toBe(0);
    await expect(model.overlay(picture, { signal, layer: 99 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
