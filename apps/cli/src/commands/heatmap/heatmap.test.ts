import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Blip2Error } from '@blip2/interfaces';
import { decodeImage } from '@blip2/processor';
import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { repository } from '../../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { demoModelFolder, demoRetrievalFolder } from '../../model/demo-model.ts';
import { loadHeatmapModel } from '../../model/load-heatmap-model.ts';

describe('blip2 heatmap', () => {
  test('writes the drawing of the model and replaces an existing file', async () => {
    const at = await temporaryFolder({ 'a b.jpg': 'image', 'out.png': 'older' });
    const { exitCode, stdout, calls } = await runFake(['heatmap', at('a b.jpg'), '-o', at('out.png'), '--layer', '1']);
    expect([exitCode, stdout]).toEqual([0, '']);
    expect(calls).toMatchObject([
      { name: 'load', source: demoModelFolder },
      { name: 'heatmap', image: 'image', subject: { method: 'attention', layer: 1 } },
      { name: 'dispose' },
    ]);
    expect(await readFile(at('out.png'), 'utf8')).toBe('image');
    expect((await readdir(at())).sort()).toEqual(['a b.jpg', 'out.png']);
  });

  test('uses the retrieval checkpoint for a text, and reports the score', async () => {
    const at = await temporaryFolder({ a: 'a dog' });
    const fits = await runFake(['heatmap', at('a'), '-t', 'a dog', '-o', at('out.png'), '--cells', '8', '--by', 'itm']);
    expect(fits.calls).toMatchObject([
      { name: 'load', source: demoRetrievalFolder },
      { name: 'heatmap', subject: { method: 'occlusion', text: 'a dog', cells: 8, by: 'itm' } },
      { name: 'dispose' },
    ]);
    expect(fits.stderr).toContain('match 2.00 (probability 0.88)');
    expect(fits.stderr).not.toContain('--mode keep');
    expect((await runFake(['heatmap', at('a'), '-t', 'a cat', '-o', at('out.png')])).stderr).toContain('--mode keep');
    expect(
      (await runFake(['heatmap', at('a'), '-t', 'a cat', '-o', at('out.png'), '--mode', 'keep'])).stderr,
    ).not.toContain('--mode keep');
    expect((await runFake(['heatmap', at('a'), '-t', 'a cat', '-o', at('out.png'), '--quiet'])).stderr).toBe('');
  });

  test('uses the generation demo for a question', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const { calls } = await runFake(['heatmap', at('a'), '-q', 'what is it?', '-t', 'a dog', '-o', at('out.png')]);
    expect(calls).toMatchObject([
      { name: 'load', source: demoModelFolder },
      { name: 'heatmap', subject: { question: 'what is it?', text: 'a dog' } },
      { name: 'dispose' },
    ]);
  });

  test('draws several images to a new folder, each under its own name, with the values next to them', async () => {
    const at = await temporaryFolder({ 'a.jpg': 'one', 'a.png': 'two', 'bad.png': 'bad' });
    const { exitCode, stdout, stderr, calls } = await runFake([
      'heatmap',
      at('a.jpg'),
      at('bad.png'),
      at('a.png'),
      '-t',
      'one',
      '-o',
      `${at('maps')}/`,
      '--raw',
      '--json',
    ]);
    expect(exitCode).toBe(3);
    expect(calls.map(({ name }) => name)).toEqual(['load', 'heatmap', 'heatmap', 'dispose']);
    expect((await readdir(at('maps'))).sort()).toEqual(['a-2.npy', 'a-2.png', 'a.npy', 'a.png']);
    expect(await readFile(join(at('maps'), 'a-2.png'), 'utf8')).toBe('two');
    const values = await readFile(join(at('maps'), 'a.npy'));
    expect(values.toString('latin1')).toContain("'shape': (1, 2)");
    expect([values.readFloatLE(values.length - 8), values.readFloatLE(values.length - 4)]).toEqual([3, 0.5]);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toMatchObject([
      {
        image: at('a.jpg'),
        output: join(at('maps'), 'a.png'),
        values: join(at('maps'), 'a.npy'),
        method: 'occlusion',
        text: 'one',
        score: 2,
        scoreKind: 'itm',
        shape: [1, 2],
        runs: 2,
      },
      { image: at('bad.png'), error: { code: 'INVALID_IMAGE' } },
      { image: at('a.png'), score: -2 },
    ]);
    expect(stderr).toContain('1 of 3 images failed');
  });

  test('shows progress only on a terminal', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const argv = ['heatmap', at('a'), '-t', 'a', '-o', at('out.png')];
    expect((await runFake(argv, { stderrIsTerminal: true })).stderr).toContain('1/2 runs');
    expect((await runFake([...argv, '--no-progress'], { stderrIsTerminal: true })).stderr).not.toContain('runs');
    expect((await runFake(argv)).stderr).not.toContain('1/2');
  });

  test('reports images that cannot be opened and leaves no file', async () => {
    const at = await temporaryFolder({ bad: 'bad' });
    for (const [name, code] of [
      ['bad', 'INVALID_IMAGE'],
      ['none', 'MISSING_FILE'],
    ] as const) {
      const { exitCode, stderr, calls } = await runFake(['heatmap', at(name), '-o', at('out.png')]);
      expect([exitCode, calls]).toEqual([3, []]);
      expect(stderr).toContain(`${at(name)}: ${code}`);
    }
    expect(await readdir(at())).toEqual(['bad']);
  });

  test('rejects one file for several images, a missing output, other file types, and the input as output', async () => {
    const at = await temporaryFolder({ 'a.png': 'a', 'b.png': 'b' });
    const out = ['-o', at('out.png')];
    for (const argv of [
      [at('a.png'), at('b.png'), ...out],
      [at(), ...out],
      [at('a.png')],
      [at('a.png'), '-o', at('out.jpg')],
      [at('a.png'), '-o', at('a.png')],
      [at('a.png'), '-o', at()],
      [...out],
    ]) {
      const { exitCode, calls } = await runFake(['heatmap', ...argv]);
      expect([exitCode, calls], argv.join(' ')).toEqual([2, []]);
    }
    expect((await readdir(at())).sort()).toEqual(['a.png', 'b.png']);
  });

  test('rejects options of the other method, several texts and an empty one', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const wrong = [
      ['--method', 'occlusion'],
      ['--method', 'attention', '-t', 'x'],
      ['--mode', 'keep'],
      ['--cells', '8'],
      ['-q', 'x'],
      ['-t', 'x', '--layer', '1'],
      ['-t', 'x', '-t', 'y'],
      ['-t', ' '],
      ['-t', 'x', '--cells', '0'],
      ['-t', 'x', '--mode', 'x'],
    ];
    for (const options of wrong) {
      const { exitCode, calls } = await runFake(['heatmap', at('a'), '-o', at('out.png'), ...options]);
      expect([exitCode, calls], options.join(' ')).toEqual([2, []]);
    }
  });

  test('leaves no file when it is interrupted or fails', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const stopped = await runFake(['heatmap', at('a'), '-o', at('out.png')], {
      onCall: ({ name }, signals) => void (name === 'heatmap' && signals.emit('SIGINT')),
    });
    expect([stopped.exitCode, stopped.calls.at(-1)?.name]).toEqual([130, 'dispose']);
    const failed = await runFake(['heatmap', at('a'), '-o', at('out.png')], {
      onCall: ({ name }) => {
        if (name === 'heatmap') throw new TypeError('broken');
      },
    });
    expect([failed.exitCode, failed.calls.at(-1)?.name]).toEqual([1, 'dispose']);
    expect(await readdir(at())).toEqual(['a']);
  });

  test('explains in its help what each map does not show, and what it costs', async () => {
    const { exitCode, stdout } = await runFake(['heatmap', '--help']);
    expect(exitCode).toBe(0);
    const help = stdout.replaceAll(/\s+/g, ' ');
    for (const words of ['not why the model says something', 'not what two regions do together', '362 runs'])
      expect(help).toContain(words);
  });
});

describe('the model of blip2 heatmap', () => {
  const { signal } = new AbortController();
  const settings = { signal, localFilesOnly: true, threads: 1 };
  const open = (name: string): ReturnType<typeof decodeImage> => decodeImage(join(repository, 'examples', name));

  test.each(['left-of.png', 'wide.png'])('draws attention as a PNG of the size of %s', async (name) => {
    const image = await open(name);
    await using model = await loadHeatmapModel(demoModelFolder, { method: 'attention' }, settings);
    await using first = await loadHeatmapModel(demoModelFolder, { method: 'attention', layer: 0 }, settings);
    const drawn = await decodeImage((await model.draw(image, { signal })).overlay);
    expect(drawn.dims).toEqual(image.dims);
    expect(Buffer.compare(drawn.data, image.data)).not.toBe(0);
    expect(
      Buffer.compare(drawn.data, (await decodeImage((await first.draw(image, { signal })).overlay)).data),
    ).not.toBe(0);
    await using none = await loadHeatmapModel(demoModelFolder, { method: 'attention', layer: 99 }, settings);
    await expect(none.draw(image, { signal })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('draws the regions that support a text or an answer', async () => {
    const image = await open('left-of.png');
    const occlusion = { method: 'occlusion', batchSize: 24 } as const;
    for (const [folder, subject, kind] of [
      [demoRetrievalFolder, { text: 'a blue triangle to the left of a small yellow circle' }, 'itm'],
      [demoRetrievalFolder, { text: 'a blue triangle', by: 'itc', mode: 'keep' }, 'itc'],
      [demoModelFolder, { text: 'blue', question: 'what color is the triangle?' }, 'writing'],
    ] as const) {
      await using model = await loadHeatmapModel(folder, { ...occlusion, ...subject }, settings);
      const { map, score, overlay } = await model.draw(image, { signal });
      expect(score?.kind).toBe(kind);
      const brightest = map.data.indexOf(Math.max(...map.data));
      expect(map.dims).toEqual([16, 16]);
      // The triangle is on the left. The whole caption and the question also depend on the circle on the right.
      if (kind === 'itc') expect(brightest % 16).toBeLessThan(8);
      expect(map.data[brightest], kind).toBeGreaterThan(0);
      expect((await decodeImage(overlay)).dims).toEqual(image.dims);
    }
  });

  test('rejects a question to a retrieval checkpoint, and --by with a generation checkpoint', async () => {
    for (const [folder, wrong] of [
      [demoRetrievalFolder, { question: 'what?' }],
      [demoModelFolder, { by: 'itc' }],
    ] as const) {
      await expect(
        loadHeatmapModel(folder, { method: 'occlusion', text: 'x', ...wrong }, settings),
      ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' } satisfies Partial<Blip2Error>);
    }
  });
});
