import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { findGoldenCases, readGoldenCase, requireGoldenCases } from './golden-case.ts';
import { resolveInput } from './golden-tensors.ts';

const cases = join(import.meta.dirname, '../cases');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-golden-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A copy of the case `logits` with one change in its manifest. */
async function changed(change: (manifest: string) => string): Promise<string> {
  const copy = await mkdtemp(join(folder, 'case-'));
  await cp(join(cases, 'logits'), copy, { recursive: true });
  await writeFile(join(copy, 'golden.json'), change(await readFile(join(copy, 'golden.json'), 'utf8')));
  return copy;
}

describe('readGoldenCase', () => {
  test('reads entries, options, tolerance and tensors', async () => {
    const golden = await readGoldenCase(join(cases, 'opt'));
    expect(golden).toMatchObject({ name: 'opt', architecture: 'Blip2ForConditionalGeneration' });
    expect(golden.entries).toHaveLength(114);
    expect(golden.images.get('exif_rotated.jpg')?.format).toBe('JPEG');
    expect(golden.tensors.get('decode/tiny.png/rgb')).toMatchObject({ type: 'uint8', dims: [3, 5, 3] });
    expect(golden.tensors.get('vision/photo.jpg/last_hidden_state')).toMatchObject({
      type: 'float32',
      dims: [1, 17, 40],
    });
  });

  test('joins tensors along the first axis', async () => {
    const { tensors } = await readGoldenCase(join(cases, 'opt'));
    const names = ['pixel_values/photo.jpg/pixel_values', 'pixel_values/alpha.png/pixel_values'];
    expect(resolveInput(tensors, { form: 'concat', names })).toMatchObject({ type: 'float32', dims: [2, 3, 32, 32] });
  });

  test('refuses another format, a malformed entry and a name used twice', async () => {
    await expect(
      readGoldenCase(await changed((text) => text.replace('blip2-golden/1', 'blip2-golden/2'))),
    ).rejects.toThrow(/golden format is unknown/);
    await expect(readGoldenCase(await changed((text) => text.replace('"tolerance"', '"tolerances"')))).rejects.toThrow(
      /is malformed/,
    );
    const name = /"name": ?"([^"]+)"/.exec(await readFile(join(cases, 'logits/golden.json'), 'utf8'))?.[0] ?? '';
    await expect(
      readGoldenCase(await changed((text) => text.replace(/(?<=[\s\S]*"name"[\s\S]*)"name": ?"[^"]+"/, name))),
    ).rejects.toThrow(/same name/);
  });

  test('fails on a tensor that the file lacks', async () => {
    const { tensors } = await readGoldenCase(join(cases, 'logits'));
    expect(() => tensors.get('no/such/tensor')).toThrow(/has no such tensor/);
  });
});

describe('findGoldenCases', () => {
  test('finds one case or many', async () => {
    expect(await findGoldenCases(join(cases, 'opt'))).toEqual([join(cases, 'opt')]);
    const folders = (await readdir(cases, { withFileTypes: true })).filter(
      // `values` contains outputs of single functions.
      (entry) => entry.isDirectory() && entry.name !== 'values',
    );
    expect(await findGoldenCases(cases)).toEqual(folders.map(({ name }) => join(cases, name)).sort());
  });

  test('none found is an error', async () => {
    await expect(requireGoldenCases(join(cases, 'opt', 'images'))).rejects.toThrow(/contains no golden.json/);
    await expect(requireGoldenCases(join(cases, 'no-such-folder'))).rejects.toThrow(/contains no golden.json/);
  });
});
