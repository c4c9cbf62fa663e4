import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Blip2, Blip2ForConditionalGeneration, type ModelSources } from '@blip2/blip2';
import { openCheckpoint } from '@blip2/checkpoint';
import { OptForCausalLM } from '@blip2/language';
import { Blip2VisionModel } from '@blip2/vision';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createCaseModels } from '../case-models.ts';
import { findGoldenCases, type GoldenCase, readGoldenCase } from '../golden-case.ts';
import { entryKinds } from '../kinds/entry-kinds.ts';
import { runCase } from '../run-case.ts';
import { copyAsLavis, type LavisCopy } from './fixtures/lavis-copy.ts';

const cases = join(import.meta.dirname, '../../cases');
const MODEL_KINDS = [
  'vision_forward',
  'qformer_forward',
  'language_projection',
  'forward',
  'generate',
  'image_text_retrieval',
  'text_embeddings',
  'text_model_with_projection',
  'vision_model_with_projection',
];

/** Fails on every entry of the case that does not come out as in the goldens. */
async function expectGoldens(golden: GoldenCase, folder: string): Promise<void> {
  const results = [];
  for await (const result of runCase(golden, {
    models: createCaseModels(folder),
    kinds: entryKinds,
    select: ({ kind }) => MODEL_KINDS.includes(kind),
  }))
    results.push(result);
  expect(results.length).toBeGreaterThan(20);
  expect(results.filter(({ status }) => status !== 'passed')).toEqual([]);
}

describe('a checkpoint with the names of LAVIS', { timeout: 120_000 }, () => {
  test.each([
    ['opt', 'opt'],
    ['t5', 't5'],
    ['itm', 'none'],
  ])('%s: everything as in the goldens', async (name, language) => {
    const [folder = ''] = await findGoldenCases(join(cases, name));
    const golden = await readGoldenCase(folder);
    await using copy = await copyAsLavis(join(folder, 'checkpoint'), { language });
    expect(
      [...(await openCheckpoint(copy.folder)).tensors.keys()].some((tensor) => tensor.startsWith('qformer.')),
    ).toBe(false);
    await expectGoldens(golden, copy.folder);
  });
});

describe('a model from several sources', { timeout: 120_000 }, () => {
  const opt = join(cases, 'opt/checkpoint');
  const image = join(cases, 'opt/images/photo.jpg');
  /** Q-Former, projection and trained norm: what LAVIS publishes. */
  const PUBLISHED = /^(?:query_tokens|Qformer|opt_proj|ln_vision)/;
  let root: string;
  let lavis: LavisCopy;
  let frozen: { readonly vision: string; readonly language: string };

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'blip2-sources-'));
    lavis = await copyAsLavis(opt, { only: PUBLISHED });
    frozen = { vision: join(root, 'vision'), language: join(root, 'language') };
    await using vision = await Blip2VisionModel.fromPretrained(opt);
    await using language = await OptForCausalLM.fromPretrained(opt);
    await vision.savePretrained(frozen.vision);
    await language.savePretrained(frozen.language);
  });
  afterAll(async () => {
    await lavis[Symbol.asyncDispose]();
    await rm(root, { recursive: true });
  });

  const sources = (): ModelSources => ({ qformer: lavis.folder, ...frozen, processor: opt });
  const caption = async (source: string | ModelSources): Promise<readonly number[]> => {
    await using blip2 = await Blip2.fromPretrained(source);
    return (await blip2.caption(image, { maxNewTokens: 8 })).tokenIds;
  };

  test('writes what the whole checkpoint writes', async () => {
    const expected = await caption(opt);
    expect(expected.length).toBeGreaterThan(2);
    expect(await caption(sources())).toEqual(expected);
  });

  test('takes the norm behind the encoder from where it was trained', async () => {
    const zeroed = join(root, 'other-norm');
    await using model = await Blip2VisionModel.fromPretrained(frozen.vision);
    await model.savePretrained(zeroed);
    await zeroTensor(join(zeroed, 'model.safetensors'), 'post_layernorm.weight');
    expect(await caption({ ...sources(), vision: zeroed })).toEqual(await caption(opt));
  });

  test('is saved as one checkpoint in the Hugging Face layout', async () => {
    const saved = join(root, 'saved');
    await using model = await Blip2ForConditionalGeneration.fromPretrained(sources());
    await model.savePretrained(saved);
    const names = (folder: string): Promise<string[]> =>
      openCheckpoint(folder).then(({ tensors }) => [...tensors.keys()].sort());
    expect(await names(saved)).toEqual(await names(opt));
    expect(await caption(saved)).toEqual(await caption(opt));
  });

  test('is refused with the names of what is missing', async () => {
    const missing = Blip2ForConditionalGeneration.fromPretrained(lavis.folder);
    await expect(missing).rejects.toMatchObject({ code: 'MISSING_WEIGHT' });
    await expect(missing).rejects.toThrow(/vision_model\.embeddings\.class_embedding.* and \d+ more/);
    await expect(Blip2.fromPretrained({ ...sources(), language: lavis.folder })).rejects.toThrow(/language_model\./);
  });
});

/** Overwrites a float32 tensor with zeros. */
async function zeroTensor(file: string, name: string): Promise<void> {
  const bytes = await readFile(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const [from, to] = JSON.parse(bytes.toString('utf8', 8, start))[name].data_offsets;
  bytes.fill(0, start + from, start + to);
  await writeFile(file, bytes);
}
