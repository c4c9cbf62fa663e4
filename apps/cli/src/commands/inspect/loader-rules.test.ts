import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Retrieval, loadImageTasks, modelTensors } from '@blip2/blip2';
import { saveCheckpoint, tensorSource } from '@blip2/checkpoint';
import { Blip2Config } from '@blip2/config';
import { Blip2Error, type RgbImage } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { repository } from '../../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { demoModelFolder, demoRetrievalFolder } from '../../model/demo-model.ts';
import type { CheckpointReport } from './checkpoint-report.ts';

type At = (name?: string) => string;
type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

async function copyOf(checkpoint: string): Promise<At> {
  const at = await temporaryFolder();
  await cp(checkpoint, at(), { recursive: true });
  return at;
}

async function edit(file: string, change: (json: Record<string, unknown>) => unknown): Promise<void> {
  await writeFile(file, JSON.stringify(change(JSON.parse(await readFile(file, 'utf8')))));
}

/** Stores linear layers as `load_in_8bit` of Hugging Face Transformers saves them: I8 with F32 scales (`SCB`). */
async function quantize(file: string, layers: RegExp): Promise<void> {
  const bytes = await readFile(file);
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const old: Header = JSON.parse(bytes.toString('utf8', 8, end));
  const header: Header = {};
  let offset = 0;
  const add = (name: string, dtype: string, shape: number[], size: number): void => {
    header[name] = { dtype, shape, data_offsets: [offset, (offset += size)] };
  };
  for (const [name, { dtype, shape, data_offsets: [from, to] = [0, 0] }] of Object.entries(old)) {
    if (name === '__metadata__') continue;
    if (!layers.test(name)) add(name, dtype, shape, to - from);
    else {
      const [rows = 0, columns = 0] = shape;
      add(name, 'I8', shape, rows * columns);
      add(name.replace(/weight$/, 'SCB'), 'F32', [rows], 4 * rows);
    }
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await writeFile(file, Buffer.concat([length, text, Buffer.alloc(offset)]));
}

const image: RgbImage = { type: 'uint8', dims: [20, 30, 3], data: new Uint8Array(1800) };

/** The code with which the commands of a checkpoint fail; `undefined` if they work. */
async function failureOf(folder: string, isRetrieval: boolean): Promise<string | undefined> {
  try {
    if (isRetrieval) {
      await using model = await Blip2Retrieval.fromPretrained(folder, { threads: 1 });
      await model.match(image, 'a text');
    } else {
      await using model = await loadImageTasks(folder, { threads: 1 });
      await (model as Awaited<ReturnType<typeof loadImageTasks>>).caption(image, { maxNewTokens: 1 });
    }
    return undefined;
  } catch (error) {
    return error instanceof Blip2Error ? error.code : String(error);
  }
}

async function inspect(folder: string): Promise<{ exitCode: number; report: CheckpointReport }> {
  const { exitCode, stdout } = await runFake(['inspect', folder, '--json']);
  return { exitCode, report: JSON.parse(stdout) };
}

const LANGUAGE_LINEAR = /^language_model\.model\.decoder\.layers\..*(?:proj|fc\d)\.weight$/;
const QFORMER_LINEAR = /^qformer\..*(?:query|key|value|dense)\.weight$/;

const broken: [what: string, checkpoint: string, breakIt: (at: At) => Promise<unknown>][] = [
  ['linear layers as I8', demoModelFolder, (at) => quantize(at('model.safetensors'), LANGUAGE_LINEAR)],
  ['a Q-Former as I8', demoModelFolder, (at) => quantize(at('model.safetensors'), QFORMER_LINEAR)],
  ['a retrieval model with I8', demoRetrievalFolder, (at) => quantize(at('model.safetensors'), QFORMER_LINEAR)],
  ['a truncated tokenizer.json', demoModelFolder, (at) => truncate(at('tokenizer.json'), 3000)],
  ['an empty tokenizer.json', demoRetrievalFolder, (at) => writeFile(at('tokenizer.json'), '{}')],
  ['a tokenizer_config.json that is not JSON', demoModelFolder, (at) => writeFile(at('tokenizer_config.json'), '{')],
  ['no preprocessor', demoModelFolder, (at) => rm(at('preprocessor_config.json'))],
  ['no preprocessor of a retrieval model', demoRetrievalFolder, (at) => rm(at('preprocessor_config.json'))],
  [
    'a preprocessor of another size',
    demoModelFolder,
    (at) => edit(at('preprocessor_config.json'), (json) => ({ ...json, size: { height: 96, width: 96 } })),
  ],
  [
    'a preprocessor with an unknown filter',
    demoModelFolder,
    (at) => edit(at('preprocessor_config.json'), (json) => ({ ...json, resample: 17 })),
  ],
  [
    'another image token',
    demoModelFolder,
    (at) => edit(at('config.json'), (json) => ({ ...json, image_token_index: 5 })),
  ],
  ['a generation_config.json that is not JSON', demoModelFolder, (at) => writeFile(at('generation_config.json'), '{')],
];

describe('the verdict of inspect is that of loading', () => {
  test.each(broken)('for %s', async (_what, checkpoint, breakIt) => {
    const at = await copyOf(checkpoint);
    await breakIt(at);
    const code = await failureOf(at(), checkpoint === demoRetrievalFolder);
    const { exitCode, report } = await inspect(at());
    expect({ exitCode, codes: report.unsupported.map((failure) => failure.code) }).toEqual(
      code === undefined ? { exitCode: 0, codes: [] } : { exitCode: 1, codes: [code] },
    );
    expect(report.runs.length > 0).toBe(code === undefined);
  });

  test('for a text configuration that is refused, with one reason', async () => {
    const at = await copyOf(demoModelFolder);
    await edit(at('config.json'), (json) => ({ ...json, text_config: { model_type: 'mamba' } }));
    const { report } = await inspect(at());
    expect(report.unsupported).toEqual([
      { code: 'UNSUPPORTED_ARCHITECTURE', message: expect.not.stringContaining('neither') },
    ]);
  });

  test('for a checkpoint without its language model: as many tensors are missing as loading says', async () => {
    const at = await copyOf(join(repository, 'tools/parity/cases/opt/checkpoint'));
    await edit(at('config.json'), (json) => ({
      ...json,
      text_config: { ...Object(json['text_config']), num_hidden_layers: 9 },
    }));
    const { report } = await inspect(at());
    const error: unknown = await loadImageTasks(at(), { threads: 1 }).catch((cause: unknown) => cause);
    expect(report.unsupported).toEqual([{ code: 'MISSING_WEIGHT', message: String(Object(error).message) }]);
  });
});

test('parameters stored as integers are counted, their scales are not', async () => {
  const at = await copyOf(demoModelFolder);
  await quantize(at('model.safetensors'), LANGUAGE_LINEAR);
  const { report } = await inspect(at());
  expect(report.parameters).toBe(2375488);
  expect(report.parts?.at(-1)).toMatchObject({ part: 'language', parameters: 604160, dtypes: ['F16', 'I8'] });
});

test('with a separate embedding width, as in opt-350m, only the parts before the language model run', async () => {
  const at = await copyOf(demoModelFolder);
  await edit(at('config.json'), (json) => ({
    ...json,
    text_config: { ...Object(json['text_config']), word_embed_proj_dim: 40, do_layer_norm_before: false },
  }));
  const tensors = modelTensors(Blip2Config.fromJson(JSON.parse(await readFile(at('config.json'), 'utf8'))));
  await saveCheckpoint(
    at(),
    tensors.map(({ name, shape: dims }) => {
      const data = new Float32Array(dims.reduce((product, length) => product * length, 1));
      return tensorSource(name, { type: 'float32', dims, data });
    }),
  );
  const { exitCode, report } = await inspect(at());
  expect({ exitCode, codes: report.unsupported.map(({ code }) => code) }).toEqual({
    exitCode: 1,
    codes: [(await failureOf(at(), false)) ?? 'none'],
  });
  expect(report.unsupported[0]?.message).toContain('language.embeddingSize is 40');
  expect(report.tasks?.map(({ task }) => task)).toEqual([
    'heatmap',
    'embed --part vision',
    'embed --part qformer',
    'embed --part projection',
  ]);
  expect((await runFake(['inspect', at()])).stdout).toMatch(/^runs +only heatmap; embed --part vision/m);
});
