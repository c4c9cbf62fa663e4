import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, saveCheckpoint, storedTensorSource } from '@blip2/checkpoint';
import { Blip2Config, Blip2QFormerConfig, readConfig, writeConfig } from '@blip2/config';
import type { PatchFeatures } from '@blip2/interfaces';
import { languageProjectionConformance, pseudoRandomTensor, qformerConformance } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2QFormerModel } from './blip2-qformer-model.ts';
import { buildQFormer, qformerSignature, qformerTensors } from './graph/qformer-graph.ts';
import { PLAIN_REQUEST, type QFormerRequest } from './graph/qformer-request.ts';
import { LanguageProjection } from './heads/language-projection.ts';
import { languageProjectionTensors } from './heads/language-projection-graph.ts';

const root = join(import.meta.dirname, '../../..');
const folders = {
  opt: join(root, 'tools/parity/cases/opt/checkpoint'),
  'opt-legacy-fp16': join(root, 'tools/parity/cases/opt-legacy-fp16/checkpoint'),
  'blip2-opt-shapes': join(root, 'apps/cli/models/blip2-opt-shapes'),
};
const cases = Object.entries(folders);

function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}
function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.length === b.length
    ? a.reduce((worst, value, index) => Math.max(worst, Math.abs(value - (b[index] ?? Number.NaN))), 0)
    : Number.NaN;
}

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-qformer-'));
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

describe.each(cases)('the Q-Former of %s', (_, folder) => {
  for (const check of qformerConformance({ create: () => Blip2QFormerModel.fromPretrained(folder, { threads: 1 }) }))
    test(check.name, check.run);
});
describe.each(cases)('the projection of %s', (_, folder) => {
  for (const check of languageProjectionConformance({
    create: () => LanguageProjection.fromPretrained(folder, { threads: 1 }),
  }))
    test(check.name, check.run);
});

/** Stored by checkpoints of 2023, read by nobody: the position ids of a text the Q-Former does not take. */
const IGNORED: ReadonlySet<string> = new Set(['qformer.embeddings.position_ids']);
const flags = [false, true];
const masks = flags.flatMap((masked) => flags.map((encoderMasked) => ({ masked, encoderMasked })));

describe('graphs', () => {
  test.each(cases)('of %s use every tensor of the Q-Former once, for every request', async (_, folder) => {
    const config = Blip2QFormerConfig.fromJson(await readConfig(folder));
    const store = await openCheckpoint(folder);
    const stored = [...store.tensors.keys()]
      .filter((name) => name.startsWith('qformer.') && !IGNORED.has(name))
      .toSorted();
    expect(stored.length).toBeGreaterThan(30);
    for (const attentions of flags)
      for (const hiddenStates of flags) {
        const request: QFormerRequest = { ...PLAIN_REQUEST, attentions, hiddenStates };
        expect(buildQFormer(config, store, 'qformer', request).weightNames.toSorted(), JSON.stringify(request)).toEqual(
          stored,
        );
      }
    expect(
      qformerTensors(config, 'qformer')
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(stored);
    for (const { name, shape } of qformerTensors(config, 'qformer'))
      expect(store.tensors.get(name)?.shape).toEqual(shape);
  });

  test.each(cases)(
    'of %s and its projection use all tensors between vision and language except query_tokens',
    async (_, folder) => {
      const { qformerConfig, textConfig, numQueryTokens } = Blip2Config.fromJson(await readConfig(folder));
      const { tensors } = await openCheckpoint(folder);
      const size = {
        inFeatures: qformerConfig.hiddenSize,
        outFeatures: textConfig.modelType === 'opt' ? textConfig.hiddenSize : 0,
      };
      const covered = new Set(
        [...qformerTensors(qformerConfig, 'qformer'), ...languageProjectionTensors(size, 'language_projection')].map(
          ({ name }) => name,
        ),
      );
      const rest = [...tensors.keys()].filter(
        (name) => !/^(vision_model|language_model)\./.test(name) && !covered.has(name) && !IGNORED.has(name),
      );
      expect(rest).toEqual(['query_tokens']);
      expect(tensors.get('query_tokens')?.shape).toEqual([1, numQueryTokens, qformerConfig.hiddenSize]);
    },
  );

  test.each(masks)('load and return the declared outputs, masks: %o', async ({ masked, encoderMasked }) => {
    await using model = await Blip2QFormerModel.fromPretrained(folders.opt);
    const { config } = model;
    const output = await model.forward(
      {
        encoderHiddenStates: pseudoRandomTensor(2, 5, 40),
        ...(masked && {
          attentionMask: [
            [1, 1, 1, 1, 1, 1],
            [1, 1, 1, 1, 1, 0],
          ],
        }),
        ...(encoderMasked && {
          encoderAttentionMask: [
            [1, 1, 1, 1, 0],
            [1, 1, 1, 1, 1],
          ],
        }),
      },
      { outputHiddenStates: true, outputAttentions: true },
    );
    expect(output.lastHiddenState.dims).toEqual([2, 6, 48]);
    expect(output.poolerOutput.dims).toEqual([2, 48]);
    expect(output.hiddenStates?.map(({ dims }) => dims)).toEqual(
      new Array(config.numHiddenLayers + 1).fill([2, 6, 48]),
    );
    expect(output.attentions?.map(({ dims }) => dims)).toEqual(new Array(config.numHiddenLayers).fill([2, 6, 6, 6]));
    expect(output.crossAttentions?.map(({ dims }) => dims)).toEqual([
      [2, 6, 6, 5],
      [2, 6, 6, 5],
    ]);
    const cross = output.crossAttentions?.[0]?.data ?? new Float32Array();
    // Row 0 of the batch, head 0, query 0 over five patches.
    expect(cross.subarray(0, 5).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    expect(cross[4] === 0).toBe(encoderMasked);
  });

  test('declare cross-attentions of layers with cross-attention only', async () => {
    const config = Blip2QFormerConfig.create({ numHiddenLayers: 5, crossAttentionFrequency: 3 });
    const { outputs } = qformerSignature(config, { ...PLAIN_REQUEST, attentions: true });
    expect(Object.keys(outputs).filter((name) => name.startsWith('cross_attentions'))).toHaveLength(2);
  });
});

describe('Blip2QFormerModel', () => {
  test('uses the learned queries by default', async () => {
    await using model = await Blip2QFormerModel.fromPretrained(folders.opt);
    const encoderHiddenStates = pseudoRandomTensor(1, 5, 40);
    const own = await model.query(encoderHiddenStates);
    expect(
      (await model.forward({ encoderHiddenStates, queryEmbeds: model.queryTokens as never })).lastHiddenState.data,
    ).toEqual(own.data);
    const others = await model.forward({ encoderHiddenStates, queryEmbeds: pseudoRandomTensor(1, 4, 48) });
    expect(others.lastHiddenState.dims).toEqual([1, 4, 48]);
  });

  test('does not depend on masked positions', async () => {
    await using model = await Blip2QFormerModel.fromPretrained(folders.opt);
    const patches = pseudoRandomTensor(1, 5, 40);
    const changed: PatchFeatures = {
      ...patches,
      data: patches.data.map((value, index) => (index >= 4 * 40 ? 9 : value)),
    };
    const masked = async (encoderHiddenStates: PatchFeatures): Promise<Float32Array> =>
      (await model.forward({ encoderHiddenStates, encoderAttentionMask: [[1, 1, 1, 1, 0]] })).lastHiddenState.data;
    expect(await masked(changed)).toEqual(await masked(patches));
    expect(largestDifference((await model.query(changed)).data, (await model.query(patches)).data)).toBeGreaterThan(
      1e-3,
    );
    const short: PatchFeatures = { type: 'float32', dims: [1, 4, 40], data: patches.data.slice(0, 160) };
    expect(largestDifference(await masked(patches), (await model.query(short)).data)).toBeLessThan(1e-5);
  });

  test('accepts a mask as rows or as a tensor', async () => {
    await using model = await Blip2QFormerModel.fromPretrained(folders.opt);
    const encoderHiddenStates = pseudoRandomTensor(1, 5, 40);
    const rows = await model.forward({ encoderHiddenStates, encoderAttentionMask: [[1, 0, 1, 1, 0]] });
    const tensor = await model.forward({
      encoderHiddenStates,
      encoderAttentionMask: { type: 'int64', dims: [1, 5], data: BigInt64Array.of(1n, 0n, 1n, 1n, 0n) },
    });
    expect(tensor.lastHiddenState.data).toEqual(rows.lastHiddenState.data);
  });

  test('rejects inputs of the wrong shape', async () => {
    await using model = await Blip2QFormerModel.fromPretrained(folders.opt);
    const encoderHiddenStates = pseudoRandomTensor(2, 5, 40);
    await expect(model.forward({})).rejects.toThrow(failure('INVALID_ARGUMENT', /encoderHiddenStates/));
    await expect(model.forward({ encoderHiddenStates, queryLength: 7 })).rejects.toThrow(
      failure('INVALID_ARGUMENT', /queryLength.*0 to 6/),
    );
    await expect(model.forward({ encoderHiddenStates, queryLength: 1.5 })).rejects.toThrow(failure('INVALID_ARGUMENT'));
    await expect(model.query(pseudoRandomTensor(2, 5, 41))).rejects.toThrow(
      failure('SHAPE_MISMATCH', /encoder_hidden_states/),
    );
    await expect(model.forward({ encoderHiddenStates, queryEmbeds: pseudoRandomTensor(1, 6, 48) })).rejects.toThrow(
      failure('SHAPE_MISMATCH'),
    );
    await expect(model.forward({ encoderHiddenStates, encoderAttentionMask: [[1, 1, 1, 1, 1], [1]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH'),
    );
    await expect(model.forward({ encoderHiddenStates, attentionMask: [[1, 1, 1, 1, 1, 1]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH'),
    );
  });

  test('returns hidden states and attentions if the configuration requests them', async () => {
    await using model = await Blip2QFormerModel.fromConfig(
      Blip2QFormerConfig.create({ ...tiny, outputHiddenStates: true, outputAttentions: true }),
      { numQueryTokens: 3 },
    );
    const encoderHiddenStates = pseudoRandomTensor(1, 2, 6);
    expect(await model.forward({ encoderHiddenStates })).toMatchObject({
      hiddenStates: { length: 3 },
      attentions: { length: 2 },
      crossAttentions: { length: 1 },
    });
    const plain = await model.forward({ encoderHiddenStates }, { outputHiddenStates: false, outputAttentions: false });
    expect(plain).not.toHaveProperty('hiddenStates');
    expect(plain).not.toHaveProperty('attentions');
  });

  test('requires the queries of a checkpoint', async () => {
    const folder = join(scratch, 'queryless');
    const { tensors } = await openCheckpoint(folders.opt);
    await saveCheckpoint(
      folder,
      [...tensors.values()]
        .filter(({ name }) => name.startsWith('qformer.'))
        .map((tensor) => storedTensorSource(tensor)),
    );
    await writeConfig(
      folder,
      JSON.parse(await readFile(join(folders.opt, 'config.json'), 'utf8')) as Record<string, unknown>,
    );
    await expect(Blip2QFormerModel.fromPretrained(folder)).rejects.toThrow(failure('MISSING_WEIGHT', /query/));
  });
});

const tiny = {
  hiddenSize: 8,
  intermediateSize: 12,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  encoderHiddenSize: 6,
} as const;

describe('a random Q-Former', () => {
  test('has numQueryTokens queries, 32 by default', async () => {
    const config = Blip2QFormerConfig.create(tiny);
    await using few = await Blip2QFormerModel.fromConfig(config, { numQueryTokens: 3 });
    await using usual = await Blip2QFormerModel.fromConfig(config);
    expect([few.numQueryTokens, usual.numQueryTokens]).toEqual([3, 32]);
    expect((await few.query(pseudoRandomTensor(2, 4, 6))).dims).toEqual([2, 3, 8]);
    await expect(Blip2QFormerModel.fromConfig(config, { numQueryTokens: 0 })).rejects.toThrow(
      failure('INVALID_ARGUMENT'),
    );
  });

  test('is the same for the same seed, and removes its file', async () => {
    const query = async (seed: number): Promise<Float32Array> => {
      await using model = await Blip2QFormerModel.fromConfig(Blip2QFormerConfig.create(tiny), {
        seed,
        folder: scratch,
        numQueryTokens: 2,
        initializer: () => ({ kind: 'normal', std: 1 }),
      });
      return (await model.query(pseudoRandomTensor(1, 4, 6))).data;
    };
    const first = await query(1);
    expect(await query(1)).toEqual(first);
    expect(await query(2)).not.toEqual(first);
    expect((await readdir(scratch)).filter((name) => name.startsWith('blip2-random'))).toEqual([]);
  });
});

describe('a Q-Former that was saved alone', () => {
  test.each(cases)('of %s computes the same as in the full model', async (name, folder) => {
    const target = join(scratch, name);
    await using model = await Blip2QFormerModel.fromPretrained(folder);
    await model.savePretrained(target);
    await using alone = await Blip2QFormerModel.fromPretrained(target);
    const patches = pseudoRandomTensor(1, 5, model.encoderHiddenSize);
    expect((await alone.query(patches)).data).toEqual((await model.query(patches)).data);
    expect(JSON.parse(await readFile(join(target, 'config.json'), 'utf8'))).toMatchObject({
      architectures: ['Blip2QFormerModel'],
      model_type: 'blip_2_qformer',
    });
    expect([...(await openCheckpoint(target)).tensors.keys()]).toContain(
      'encoder.layer.0.attention.attention.query.weight',
    );
  });
});
