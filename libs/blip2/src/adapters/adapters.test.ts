import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readTensor, tensorSource, writeSafetensors } from '@blip2/checkpoint';
import { openCheckpoint } from '@blip2/checkpoint';
import type { PixelValues, SessionFactory, Tensor } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2ForConditionalGeneration } from '../models/blip2-for-conditional-generation.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { Blip2 } from '../tasks/blip2.ts';
import { loadImageTasks } from '../tasks/load-image-tasks.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const base = join(cases, 'opt/checkpoint');
const whole = join(cases, 'values/adapters/opt-blip2/adapter-1');
const WIDTH = 56;
let scratch = '';
let language = '';
let vision = '';
const pixelValues: PixelValues = {
  type: 'float32',
  dims: [1, 3, 32, 32],
  data: Float32Array.from({ length: 3 * 32 * 32 }, (_, at) => Math.sin(at)),
};

async function adapter(name: string, module: string, [out, inner]: readonly [number, number]): Promise<string> {
  const folder = join(scratch, name);
  await cp(whole, folder, { recursive: true });
  const config = { peft_type: 'LORA', r: 1, lora_alpha: 1, target_modules: [module.split('.').at(-1)] };
  await writeFile(join(folder, 'adapter_config.json'), JSON.stringify({ ...config, base_model_name_or_path: base }));
  const values = (suffix: string, dims: readonly number[]) =>
    tensorSource(`base_model.model.${module}.${suffix}.weight`, {
      type: 'float32',
      dims,
      data: Float32Array.from({ length: Math.max(...dims) }, (_, at) => Math.cos(at)),
    });
  await writeSafetensors(join(folder, 'adapter_model.safetensors'), [
    values('lora_A', [1, inner]),
    values('lora_B', [out, 1]),
  ]);
  return folder;
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-adapters-'));
  language = await adapter('language', 'language_model.model.decoder.layers.0.self_attn.v_proj', [WIDTH, WIDTH]);
  vision = await adapter('vision', 'vision_model.encoder.layers.1.self_attn.projection', [40, 40]);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const load = (options: LoadOptions, source = base): Promise<Blip2ForConditionalGeneration> =>
  Blip2ForConditionalGeneration.fromPretrained(source, {
    threads: 1,
    convertedDir: join(scratch, 'cache'),
    ...options,
  });
async function logits(model: Blip2ForConditionalGeneration): Promise<Tensor['data'] | undefined> {
  const inputIds = [[...Array.from({ length: 6 }, () => model.config.imageTokenIndex ?? 0), 5, 6]];
  return (await model.forward({ pixelValues, inputIds })).logits?.data;
}
async function logitsOf(options: LoadOptions, source = base): Promise<Tensor['data'] | undefined> {
  await using model = await load(options, source);
  return await logits(model);
}

describe.each(['inline', 'worker', 'process'] as const)('isolate %s', (isolate) => {
  test('adapters by name are switched, and give what they give alone', async () => {
    const alone = {
      language: await logitsOf({ adapters: language }),
      vision: await logitsOf({ adapters: [vision] }),
      both: await logitsOf({ adapters: [vision, language] }),
      none: await logitsOf({}),
    };
    expect(new Set(Object.values(alone).map(String)).size).toBe(4);
    await using model = await load({ adapters: { language, vision }, isolate });
    expect(await logits(model)).toEqual(alone.language);
    await model.setAdapters('vision');
    expect(await logits(model)).toEqual(alone.vision);
    await model.setAdapters(['vision', 'language']);
    expect(await logits(model)).toEqual(alone.both);
    await model.setAdapters(null);
    expect(await logits(model)).toEqual(alone.none);
    await Promise.all([model.setAdapters('vision'), model.setAdapters(['language'])]);
    expect(await logits(model)).toEqual(alone.language);
    await expect(model.setAdapters('other')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'names' },
    });
    expect(await logits(model)).toEqual(alone.language);
  });
});

test('only the parts that an adapter changes are loaded again', async () => {
  const created: string[] = [];
  const counting: SessionFactory = (model, options) => {
    created.push(model.name);
    return createSession(model, options);
  };
  await using model = await load({ adapters: { language, vision }, createSession: counting });
  await logits(model);
  created.length = 0;
  await logits(model);
  expect(created).toEqual([]);
  await model.setAdapters(null);
  await logits(model);
  expect(created.every((name) => name.startsWith('opt'))).toBe(true);
  expect(created.length).toBeGreaterThan(0);
  created.length = 0;
  await model.setAdapters('vision');
  await logits(model);
  expect(created.length).toBeGreaterThan(0);
  expect(created.some((name) => name.startsWith('opt') || name.includes('qformer'))).toBe(false);
});

test('precisions: adapters are switched at every one', async () => {
  for (const dtype of ['int8', 'q8', 'fast', 'small'] as const) {
    const alone = await logitsOf({ adapters: language, dtype });
    await using model = await load({ adapters: { vision, language }, dtype });
    await model.setAdapters('language');
    expect(await logits(model)).toEqual(alone);
  }
});

test('the folder of an adapter is a source', async () => {
  const expected = await logitsOf({ adapters: language });
  expect(await logitsOf({}, language)).toEqual(expected);
  await using model = await load({ adapters: { vision } }, language);
  expect(await logits(model)).toEqual(expected);
  await model.setAdapters([language, 'vision']);
  expect(await logits(model)).toEqual(await logitsOf({ adapters: [language, vision] }));
  await using tasks = await loadImageTasks(language, { threads: 1 });
  await using plain = await Blip2.fromPretrained(base, { threads: 1, adapters: language });
  const image = join(import.meta.dirname, '../../../../examples/left-of.png');
  const options = { maxNewTokens: 4 };
  expect((await tasks.caption(image, options)).text).toBe((await plain.caption(image, options)).text);
  await plain.setAdapters(null);
  await expect(plain.setAdapters('x')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('a model is saved with its active adapters', async () => {
  await using model = await load({ adapters: { language, vision } });
  await model.setAdapters(['language', 'vision']);
  const saved = join(scratch, 'saved');
  await model.savePretrained(saved);
  expect(await logitsOf({}, saved)).toEqual(await logits(model));
  const [before, after] = [await openCheckpoint(base), await openCheckpoint(saved)];
  const changed: string[] = [];
  for (const [name, tensor] of before.tensors) {
    const other = after.tensors.get(name);
    if (!other || String((await readTensor(tensor)).data) !== String((await readTensor(other)).data))
      changed.push(name);
  }
  expect(changed).toEqual([
    'language_model.model.decoder.layers.0.self_attn.v_proj.weight',
    'vision_model.encoder.layers.1.self_attn.projection.weight',
  ]);
});

test('adapters that do not fit are refused when the model is loaded', async () => {
  const wide = await adapter('wide', 'language_model.model.decoder.layers.0.self_attn.v_proj', [WIDTH, 64]);
  await expect(load({ adapters: { language, wide } })).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
  const missing = await adapter('missing', 'language_model.model.decoder.layers.9.fc1', [WIDTH, WIDTH]);
  await expect(load({ adapters: missing })).rejects.toMatchObject({ code: 'MISSING_WEIGHT' });
  for (const adapters of [5, [1], { a: 1 }, '', [language, language], { '': language }])
    await expect(load({ adapters: adapters as never })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('a file of an adapter that changes is noticed', async () => {
  const changing = await adapter('changing', 'language_model.model.decoder.layers.1.self_attn.v_proj', [WIDTH, WIDTH]);
  await using model = await load({ adapters: { language, changing } });
  const file = join(changing, 'adapter_config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...config, lora_alpha: 3 }));
  await expect(model.setAdapters('changing')).rejects.toMatchObject({ code: 'MODEL_CHANGED' });
});

describe('a folder with nothing but an adapter, as one of several sources', () => {
  const from = async (sources: Parameters<typeof Blip2ForConditionalGeneration.fromPretrained>[0]) => {
    await using model = await Blip2ForConditionalGeneration.fromPretrained(sources, { threads: 1 });
    return await logits(model);
  };

  test('is its base with the adapter, for the parts that it is the source of', async () => {
    const alone = { language: await logitsOf({ adapters: language }), vision: await logitsOf({ adapters: vision }) };
    expect(await from({ qformer: base, language })).toEqual(alone.language);
    expect(await from({ qformer: base, vision })).toEqual(alone.vision);
    expect(await from({ qformer: language })).toEqual(alone.language);
    expect(await from({ qformer: base, vision, language })).toEqual(await logitsOf({ adapters: [vision, language] }));
    // An adapter of the language model changes no other part.
    expect(await from({ qformer: base, vision: language })).toEqual(await logitsOf({}));
    expect(await from({ qformer: language, language: base })).toEqual(await logitsOf({}));
  });

  test('applies together with those of the options', async () => {
    await using model = await Blip2ForConditionalGeneration.fromPretrained(
      { qformer: base, vision },
      { threads: 1, adapters: [language] },
    );
    expect(await logits(model)).toEqual(await logitsOf({ adapters: [vision, language] }));
    await model.setAdapters([vision]);
    expect(await logits(model)).toEqual(await logitsOf({ adapters: vision }));
  });
});
