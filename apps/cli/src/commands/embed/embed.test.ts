import { access, readdir, readFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { openCheckpoint, readTensor } from '@blip2/checkpoint';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { demoModelFolder, demoRetrievalFolder } from '../../model/demo-model.ts';

interface Npy {
  readonly header: string;
  readonly values: readonly number[];
}
async function readNpy(file: string): Promise<Npy> {
  const bytes = await readFile(file);
  expect([...bytes.subarray(0, 8)]).toEqual([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  const start = 10 + bytes.readUInt16LE(8);
  expect(start % 64).toBe(0);
  const values = Array.from({ length: (bytes.length - start) / 4 }, (_, index) => bytes.readFloatLE(start + 4 * index));
  return { header: bytes.subarray(10, start).toString(), values };
}

describe('blip2 embed', () => {
  test('writes one array of all images, in order', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'four' });
    const { exitCode, stdout, calls } = await runFake(['embed', at('a'), at('b'), '-o', at('out.npy')]);
    expect([exitCode, stdout]).toEqual([0, '']);
    expect(calls[0]).toMatchObject({ source: demoRetrievalFolder, part: 'image-proj' });
    const { header, values } = await readNpy(at('out.npy'));
    expect(header).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 2, 2\), \} *\n$/);
    expect(values).toEqual([1, 0.5, 2, 0.25, 4, 0.5, 5, 0.25]);
  });

  test.each([
    ['mean', [1.5, 0.375]],
    ['first', [1, 0.5]],
    ['max', [2, 0.5]],
    ['unit-mean', [...Float32Array.of(1.5 / Math.hypot(1.5, 0.375), 0.375 / Math.hypot(1.5, 0.375))]],
  ])('pools positions by their %s', async (pool, expected) => {
    const at = await temporaryFolder({ a: 'a' });
    const { stdout } = await runFake(['embed', at('a'), '--pool', pool, '--json']);
    expect(JSON.parse(stdout)).toEqual({ image: at('a'), part: 'image-proj', shape: [2], embedding: expected });
  });

  test.each(['-t a -t bb -t a', '-t a -t bb -t a IMAGE'])(
    'has a row for every text that is given: %s',
    async (words) => {
      const at = await temporaryFolder({ image: 'cat' });
      const texts = words.split(' ').map((word) => (word === 'IMAGE' ? at('image') : word));
      for (const name of ['out.npy', 'out.jsonl', 'out.parquet'])
        expect((await runFake(['embed', ...texts, '-o', at(name)])).exitCode).toBe(0);
      expect((await readFile(at('out.npy'))).subarray(0, 128).toString('latin1')).toContain("'shape': (3, 2, 2)");
      const lines = (await readFile(at('out.jsonl'), 'utf8')).trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line).text)).toEqual(['a', 'bb', 'a']);
      expect(await runFake(['embed', ...texts, '-o', at('out.jsonl')])).toMatchObject({
        exitCode: 0,
        calls: [],
        stderr: expect.stringMatching(/^(3 of 3 texts|1 of 1 images) were done before\.\n$/),
      });
    },
  );

  test('writes one tensor per text, named after it', async () => {
    const at = await temporaryFolder({});
    await runFake(['embed', '-t', 'cat', '-t', 'horse', '-o', at('out.safetensors')]);
    await rename(at('out.safetensors'), at('model.safetensors'));
    const { tensors } = await openCheckpoint(at());
    expect([...tensors.keys()]).toEqual(['cat', 'horse']);
    expect([...(await readTensor(tensors.get('horse')!)).data]).toEqual([5, 0.5, 6, 0.25]);
  });

  test('writes a line for every image with every text', async () => {
    const at = await temporaryFolder({ a: 'a' });
    await runFake(['embed', at('a'), '-t', 'x', '-t', 'yy', '-o', at('out.jsonl')]);
    const lines = (await readFile(at('out.jsonl'), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toEqual([
      {
        image: at('a'),
        text: 'x',
        part: 'multimodal',
        shape: [2, 2],
        embedding: [
          [2, 0.5],
          [3, 0.25],
        ],
      },
      {
        image: at('a'),
        text: 'yy',
        part: 'multimodal',
        shape: [2, 2],
        embedding: [
          [3, 0.5],
          [4, 0.25],
        ],
      },
    ]);
    const again = await runFake(['embed', at('a'), '-t', 'x', '-t', 'yy', '-o', at('out.jsonl')]);
    expect(again.calls).toEqual([]);
  });

  test('writes Parquet with the keys of the lines: flat values, and their shape', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const rows = async (...argv: string[]): Promise<unknown> => {
      expect((await runFake(['embed', ...argv, '-o', at('out.parquet')])).exitCode).toBe(0);
      return parquetReadObjects({ file: await asyncBufferFromFile(at('out.parquet')) });
    };
    expect(await rows(at('a'))).toEqual([
      { image: at('a'), part: 'image-proj', shape: [2, 2], embedding: [1, 0.5, 2, 0.25] },
    ]);
    expect(await rows('-t', 'cat', '--pool', 'first')).toEqual([
      { text: 'cat', part: 'text-proj', shape: [2], embedding: [3, 0.5] },
    ]);
    expect(await rows(at('a'), '-t', 'x')).toEqual([
      { image: at('a'), text: 'x', part: 'multimodal', shape: [2, 2], embedding: [2, 0.5, 3, 0.25] },
    ]);
  });

  test('streams an array to disk, and writes one tensor for an image that is passed twice', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'four' });
    const sizes: number[] = [];
    const watch = {
      onCall: async ({ name }: { name: string }) => {
        if (name === 'embed')
          for (const file of (await readdir(at())).filter((each) => each.endsWith('.tmp')))
            sizes.push((await stat(at(file))).size);
      },
    };
    await runFake(['embed', at('a'), at('b'), at('a'), '-o', at('out.npy'), '--batch-size', '1'], watch);
    expect(sizes.map((size) => size % 64)).toEqual([16, 32]);
    expect((await readNpy(at('out.npy'))).values).toHaveLength(12);
    expect((await runFake(['embed', at('a'), at('b'), at('a'), '-o', at('model.safetensors')])).exitCode).toBe(0);
    expect([...(await openCheckpoint(at())).tensors.keys()]).toEqual([at('a'), at('b')]);
  });

  test('takes the projection from the demo that has a language model', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const { calls } = await runFake(['embed', at('a'), '--part', 'projection', '--json']);
    expect(calls[0]).toMatchObject({ source: demoModelFolder, part: 'projection' });
  });

  test('reports images that cannot be opened and leaves them out', async () => {
    const at = await temporaryFolder({ a: 'a', bad: 'bad' });
    const { exitCode, stderr } = await runFake(['embed', at('a'), at('bad'), '-o', at('out.npy'), '--quiet']);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('INVALID_IMAGE');
    expect((await readNpy(at('out.npy'))).values).toHaveLength(4);
  });

  test('rejects parts that the inputs lack, other file types, and missing inputs or outputs', async () => {
    const at = await temporaryFolder({ a: 'a' });
    for (const argv of [
      ['embed'],
      ['embed', '--json'],
      ['embed', at('a')],
      ['embed', at('a'), '-o', at('out.txt')],
      ['embed', at('a'), '-o', at('out.csv'), '--json'],
      ['embed', at('a'), '--part', 'text', '--json'],
      ['embed', '-t', 'x', '--part', 'vision', '--json'],
      ['embed', at('a'), '--part', 'nose', '--json'],
    ]) {
      const { exitCode, calls } = await runFake(argv);
      expect([exitCode, calls], argv.join(' ')).toEqual([2, []]);
    }
  });

  test('rejects an empty text, with and without images', async () => {
    const at = await temporaryFolder({ a: 'a' });
    for (const images of [[], [at('a')]]) {
      const { exitCode, stderr, calls } = await runFake([
        'embed',
        ...images,
        '-t',
        'a cat',
        '-t',
        ' ',
        '-o',
        at('out.npy'),
      ]);
      expect([exitCode, stderr, calls]).toEqual([
        2,
        'INVALID_ARGUMENT: --text must be a non-empty text, got " "\n',
        [],
      ]);
    }
    expect(await readdir(at())).toEqual(['a']);
  });

  test('leaves no file when it fails', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const { exitCode } = await runFake(['embed', at('a'), '-o', at('out.npy')], {
      onCall: ({ name }) => {
        if (name === 'embed') throw new TypeError('broken');
      },
    });
    expect(exitCode).toBe(1);
    await expect(access(at('out.npy'))).rejects.toThrow();
    expect(await readdir(dirname(at('a')))).toEqual(['a']);
  });

  test.each([
    ['generation', 'IMAGE', 'qformer'],
    ['generation', '-t x', 'language'],
    ['generation', 'IMAGE -t x', 'language'],
    ['instruct', 'IMAGE', 'vision'],
    ['instruct', 'IMAGE -t x', 'qformer'],
    ['retrieval', 'IMAGE', 'image-proj'],
    ['vision', 'IMAGE', 'vision'],
    ['language', '-t x', 'language'],
    [undefined, 'IMAGE', 'image-proj'],
  ] as const)('without --part, takes the first part that the model has: %s, %s', async (checkpoint, words, part) => {
    const at = await temporaryFolder({ image: 'cat' });
    const inputs = words.split(' ').map((word) => (word === 'IMAGE' ? at('image') : word));
    const run = await runFake(['embed', ...inputs, '-m', 'some/model', '--json'], {
      ...(checkpoint !== undefined && { checkpoint }),
    });
    expect([run.exitCode, run.calls[0]]).toMatchObject([0, { source: 'some/model', part }]);
  });

  test('refuses inputs that the model has no features of', async () => {
    const at = await temporaryFolder({ a: 'a' });
    for (const [checkpoint, argv] of [
      ['vision', ['-t', 'x']],
      ['vision', [at('a'), '-t', 'x']],
      ['language', [at('a')]],
    ] as const) {
      const run = await runFake(['embed', ...argv, '-m', 'some/model', '--json'], { checkpoint });
      expect(run).toMatchObject({
        exitCode: 2,
        calls: [],
        stderr: expect.stringContaining('has no features of') as string,
      });
    }
  });

  test.each(['-2', '0', '3'])('--layer %s is passed on, and is part of the run', async (layer) => {
    const at = await temporaryFolder({ a: 'a' });
    const argv = ['embed', at('a'), '--part', 'vision', '-o', at('out.jsonl'), '--layer', layer];
    const { calls, exitCode } = await runFake(argv);
    expect([exitCode, calls[0]]).toMatchObject([0, { part: 'vision', settings: { layer: Number(layer) } }]);
    expect((await runFake([...argv.slice(0, -1), '1'])).stderr).toContain('options.layer');
    expect((await runFake(argv)).calls).toEqual([]);
  });

  test('rejects a layer that is no whole number', async () => {
    const at = await temporaryFolder({ a: 'a' });
    for (const layer of ['last', '0.5', ''])
      expect(await runFake(['embed', at('a'), '--json', '--layer', layer])).toMatchObject({ exitCode: 2, calls: [] });
  });
});
