import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { PixelValues } from '@blip2/interfaces';
import { loadLanguageModel, onnxLanguageModel } from '@blip2/language';
import { Blip2QFormerModel, LanguageProjection } from '@blip2/qformer';
import { loadVisionEncoder, onnxVisionEncoder } from '@blip2/vision';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { exportOnnx } from '../export/export-onnx.ts';
import { Blip2Features } from '../features/blip2-features.ts';
import { damagedCheckpoint } from '../fixtures/damaged-checkpoint.ts';
import { Blip2ForConditionalGeneration } from '../models/blip2-for-conditional-generation.ts';
import { createConditionalGeneration } from '../models/create-conditional-generation.ts';
import { createPipeline } from '../pipeline/blip2-pipeline.ts';
import { Blip2 } from '../tasks/blip2.ts';

const root = join(import.meta.dirname, '../../../..');
const checkpoint = (name: string): string => join(root, 'tools/parity/cases', name, 'checkpoint');
const image = join(root, 'examples/left-of.png');
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-damaged-results-'));
});
afterAll(() => rm(scratch, { recursive: true }));
const options = { threads: 1 } as const;

const pixelValues: PixelValues = {
  type: 'float32',
  dims: [1, 3, 32, 32],
  data: Float32Array.from({ length: 3 * 32 * 32 }, (_, at) => Math.sin(at)),
};

/** Every result must be refused, with the name of the part that has the NaN. */
async function expectNotFinite(
  part: string,
  results: Readonly<Record<string, () => PromiseLike<unknown>>>,
): Promise<void> {
  const outcomes = await Promise.all(
    Object.entries(results).map(async ([name, result]) => [
      name,
      await result().then(
        () => 'a result',
        (error: { readonly code?: string; readonly details?: { readonly subject?: string } }) =>
          `${error.code} ${error.details?.subject}`,
      ),
    ]),
  );
  expect(outcomes).toEqual(Object.keys(results).map((name) => [name, `NOT_FINITE ${part}`]));
}

type PartName = 'vision encoder' | 'Q-Former' | 'language projection' | 'language model';

/** An early tensor of each part, so that the results of single layers are damaged too. */
const TENSORS: Readonly<Record<string, readonly (readonly [PartName, string])[]>> = {
  opt: [
    ['vision encoder', 'vision_model.encoder.layers.0.layer_norm1.bias'],
    ['Q-Former', 'qformer.encoder.layer.0.attention.output.LayerNorm.bias'],
    ['language projection', 'language_projection.bias'],
    ['language model', 'language_model.model.decoder.layers.0.self_attn_layer_norm.bias'],
  ],
  t5: [
    ['vision encoder', 'vision_model.encoder.layers.0.layer_norm1.bias'],
    ['Q-Former', 'qformer.encoder.layer.0.attention.output.LayerNorm.bias'],
    ['language projection', 'language_projection.bias'],
    ['language model', 'language_model.encoder.block.0.layer.0.layer_norm.weight'],
  ],
};
const ORDER: readonly PartName[] = ['vision encoder', 'Q-Former', 'language projection', 'language model'];

describe.each(Object.entries(TENSORS))('a NaN in an early layer of %s', (name, tensors) => {
  test.each<readonly [PartName, string]>(tensors)(
    'in the %s: features, whole models of parts, and exported graphs',
    async (part, tensor) => {
      await using damaged = await damagedCheckpoint(checkpoint(name), tensor);
      const { folder } = damaged;
      const from = (least: PartName): boolean => ORDER.indexOf(part) <= ORDER.indexOf(least);

      await using features = await Blip2Features.fromPretrained(folder, options);
      const embed = (of: 'vision' | 'qformer' | 'projection' | 'language', layer?: number) => () =>
        features.embed({ images: [image] }, { part: of, ...(layer !== undefined && { layer }) });
      await expectNotFinite(part, {
        ...(from('vision encoder') && { vision: embed('vision'), visionLayer: embed('vision', 1) }),
        ...(from('Q-Former') && { qformer: embed('qformer'), qformerLayer: embed('qformer', 1) }),
        ...(from('language projection') && { projection: embed('projection') }),
        language: embed('language'),
        languageLayer: embed('language', 1),
        ...(part === 'language model' && {
          text: () => features.embed({ text: ['a cat'] }),
          textLayer: () => features.embed({ text: ['a cat'] }, { layer: 1 }),
        }),
      });

      await using model = createConditionalGeneration({
        vision: await loadVisionEncoder(folder, options),
        qformer: await Blip2QFormerModel.fromPretrained(folder, options),
        projection: await LanguageProjection.fromPretrained(folder, options),
        language: await loadLanguageModel(folder, options),
      });
      const inputs = { pixelValues, inputIds: [[5, 6]], labels: [[5, 6]] };
      await expectNotFinite(part, {
        forward: () => model.forward(inputs),
        loss: () => model.loss(inputs),
        generate: () => model.generate({ pixelValues }, { maxNewTokens: 2 }),
      });
      if (part === 'vision encoder')
        await expectNotFinite(part, {
          encode: () => model.visionModel.encode(pixelValues),
          forward: () =>
            model.visionModel.forward({ pixelValues }, { outputHiddenStates: true, outputAttentions: true }),
        });

      const exported = join(scratch, `${name}-${part}`);
      const { files } = await exportOnnx(folder, { folder: exported });
      const file = (of: string): string => join(exported, files[of]?.file ?? '');
      await using vision = await onnxVisionEncoder(file('vision_model'));
      await using language = await onnxLanguageModel(file('decoder_model_merged'), {
        ...(name === 't5' && { encoder: file('encoder_model') }),
      });
      const { qformer, languageProjection: projection } = await Blip2ForConditionalGeneration.fromPretrained(folder);
      const pipeline = createPipeline({ vision, qformer, projection, language }, model.config);
      await expectNotFinite(part, {
        pipeline: () => pipeline.generate({ pixelValues }, { maxNewTokens: 2 }),
        scores: () => pipeline.scoreSequences({ pixelValues }, [[4]]),
      });
      if (part === 'vision encoder') await expectNotFinite(part, { encode: () => vision.encode(pixelValues) });
    },
  );
});

test.each([
  ['language_model.model.decoder.layers.0.self_attn_layer_norm.bias', 'language model'],
  ['vision_model.encoder.layers.0.layer_norm1.bias', 'vision encoder'],
])('a NaN in %s of a model with an adapter', async (tensor, part) => {
  await using damaged = await damagedCheckpoint(checkpoint('opt'), tensor);
  const adapters = join(root, 'tools/parity/cases/values/adapters/opt-blip2/adapter-1');
  const convertedDir = join(scratch, `cache-${part}`);
  await using blip2 = await Blip2.fromPretrained(damaged.folder, { ...options, adapters, convertedDir });
  await using features = await Blip2Features.fromPretrained(damaged.folder, { ...options, adapters, convertedDir });
  await expectNotFinite(part, {
    caption: () => blip2.caption(image, { maxNewTokens: 2 }),
    rank: () => blip2.rank(image, 'what?', ['a', 'b']),
    embed: () => features.embed({ images: [image] }, { part: 'language' }),
  });
});
