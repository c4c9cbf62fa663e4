import {
  type Blip2Parts,
  type Blip2Retrieval,
  type CheckpointParts,
  type LoadOptions,
  openCheckpointParts,
} from '@blip2/blip2';
import { Blip2Error, expectFinite, mustBe, type PatchFeatures, pickRows, type RgbImage } from '@blip2/interfaces';
import { Blip2Processor, BlipImageProcessor, resizingOf } from '@blip2/processor';

import { withDisposableStack } from '../module/disposable-stack.ts';
import type { ModuleParts } from '../module/load-module-parts.ts';
import { dtypeOption } from '../options/dtype.ts';
import type { Embedding, EmbeddingModel, FeaturePart, LoadEmbeddingModel } from './model-port.ts';
import { openRetrieval } from './open-retrieval.ts';
import { pixelValuesOf } from './pixel-values.ts';

/** Components before the language model, which all checkpoints have. */
const VISION_PARTS = ['vision', 'qformer', 'projection'] as const;
type VisionPart = (typeof VISION_PARTS)[number];

/**
 * Loads a checkpoint for the features of one component, in a worker thread: any checkpoint for the vision encoder,
 * Q-Former or projection, a retrieval checkpoint for the others.
 */
export const loadEmbeddingModel: LoadEmbeddingModel = async (source, part, { dtype, module, ...settings }) => {
  const options = { ...settings, ...dtypeOption(dtype), isolate: 'worker' } as const;
  if (part !== 'vision' && part !== 'qformer' && part !== 'projection')
    return fromRetrieval(await openRetrieval(source, module, options), part);
  return fromParts(source, options, part, module);
};

async function fromParts(
  source: string,
  options: LoadOptions & { readonly signal: AbortSignal },
  part: VisionPart,
  module: string | undefined,
): Promise<EmbeddingModel> {
  return withDisposableStack(async ({ use, disposeAsync }) => {
    const parts = use(await openCheckpointParts(source, options));
    const processor = await BlipImageProcessor.fromPretrained(parts.folder);
    const custom = module === undefined ? {} : use(await customParts(module, parts, options.signal)).parts;
    const vision = custom.vision ?? (await parts.vision());
    const stages = await stagesAfterVision(parts, custom, part);
    return {
      async embedImages(images, { signal }) {
        let states: PatchFeatures = await vision.encode(await pixelValuesOf(processor, images, signal));
        expectFinite('vision encoder', states);
        for (const stage of stages) {
          signal.throwIfAborted();
          states = await stage(states);
        }
        return rowsOf(states);
      },
      embedTexts: () => refuseTexts(part),
      embedPairs: () => refuseTexts(part),
      resizing: resizingOf(processor),
      [Symbol.asyncDispose]: disposeAsync,
    };
  });
}

async function customParts(module: string, parts: CheckpointParts, signal: AbortSignal): Promise<ModuleParts> {
  const { loadModuleParts } = await import('../module/load-module-parts.ts');
  const { folder, config } = parts;
  return loadModuleParts(module, VISION_PARTS, async () => ({
    folder,
    config,
    parts,
    processor: await Blip2Processor.fromPretrained(folder),
    signal,
  }));
}

type Stage = (states: PatchFeatures) => Promise<PatchFeatures>;

async function stagesAfterVision(
  parts: CheckpointParts,
  custom: Partial<Blip2Parts>,
  part: VisionPart,
): Promise<readonly Stage[]> {
  if (part === 'vision') return [];
  const vision = custom.vision ?? (await parts.vision());
  const qformer = custom.qformer ?? (await parts.qformer());
  expectEqualWidths('vision.hiddenSize', vision.hiddenSize, 'qformer.encoderHiddenSize', qformer.encoderHiddenSize);
  const query: Stage = async (states) => expectFinite('Q-Former', await qformer.query(states));
  if (part === 'qformer') return [query];
  const projection = custom.projection ?? (await parts.projection());
  expectEqualWidths('qformer.hiddenSize', qformer.hiddenSize, 'projection.inFeatures', projection.inFeatures);
  return [query, async (states) => expectFinite('language projection', await projection.project(states))];
}

function expectEqualWidths(a: string, left: number, b: string, right: number): void {
  if (left === right) return;
  throw new Blip2Error('SHAPE_MISMATCH', `${a} is ${left} but ${b} is ${right}`, {
    where: '--module',
    fix: 'Use parts that were trained together',
  });
}

function fromRetrieval(retrieval: Blip2Retrieval, part: Exclude<FeaturePart, 'projection'>): EmbeddingModel {
  return {
    embedImages: (images, options) => retrieval.embed({ images }, { ...options, part }),
    embedTexts: (texts, options) => retrieval.embed({ text: texts }, { ...options, part }),
    async embedPairs(items, options) {
      const pairs = items.flatMap(({ image, texts }) =>
        texts.map((text): readonly [RgbImage, string] => [image, text]),
      );
      const inputs = { images: pairs.map(([image]) => image), text: pairs.map(([, text]) => text) };
      const remaining = (await retrieval.embed(inputs, { ...options, part })).values();
      return items.map(({ texts }) => texts.flatMap(() => remaining.next().value ?? []));
    },
    resizing: resizingOf(retrieval.processor.imageProcessor),
    [Symbol.asyncDispose]: () => retrieval.dispose(),
  };
}

function refuseTexts(part: FeaturePart): never {
  throw mustBe('--part', 'a component that encodes texts', part);
}

/** Splits `[batch, positions, width]` to `[positions, width]` per input. */
function rowsOf(states: PatchFeatures): Embedding[] {
  const [batch, ...dims] = states.dims;
  return Array.from({ length: batch }, (_, row) => ({ dims, data: pickRows(states, [row]).data }));
}
