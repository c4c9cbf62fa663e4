import {
  Blip2Features,
  type Blip2Parts,
  type Blip2Retrieval,
  type CheckpointParts,
  type LoadOptions,
  openCheckpointParts,
} from '@blip2/blip2';
import {
  Blip2Error,
  defined,
  expectFinite,
  mustBe,
  type PatchFeatures,
  pickRows,
  type RgbImage,
} from '@blip2/interfaces';
import { Blip2Processor, BlipImageProcessor, resizingOf } from '@blip2/processor';

import type { Blip2Module } from '../module/blip2-module.ts';
import { withDisposableStack } from '../module/disposable-stack.ts';
import { importModule } from '../module/import-module.ts';
import type { ModuleParts } from '../module/load-module-parts.ts';
import { DEFAULT_ISOLATE } from '../options/common-options.ts';
import { dtypeOption } from '../options/dtype.ts';
import type { Embedding, EmbeddingModel, FeaturePart, LoadEmbeddingModel } from './model-port.ts';
import type { ModelSource } from './model-source.ts';
import { openRetrieval } from './open-retrieval.ts';
import { pixelValuesOf } from './pixel-values.ts';

/** Components before the language model, which a module can replace. */
const VISION_PARTS = ['vision', 'qformer', 'projection'] as const;
type VisionPart = (typeof VISION_PARTS)[number];

/** Loads a checkpoint of any kind for the features of one component, in worker threads if it is a whole model. */
export const loadEmbeddingModel: LoadEmbeddingModel = async (
  source,
  part,
  { dtype, module, layer, isolate = DEFAULT_ISOLATE, ...settings },
) => {
  const options = { ...settings, ...dtypeOption(dtype), isolate };
  const custom = module === undefined ? undefined : await importModule(module);
  // A module may only register model families.
  if (module === undefined || !custom)
    return fromFeatures(await Blip2Features.fromPretrained(source, options), part, layer);
  if (layer !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', '--layer cannot be used with --module: other parts have no layers');
  if (part === 'language') throw mustBe('--part', 'a component before the language model, with --module', part);
  return part === 'vision' || part === 'qformer' || part === 'projection'
    ? fromParts(source, options, part, { module: custom, file: module })
    : fromRetrieval(await openRetrieval(source, module, options), part);
};

/** The features of a checkpoint, as the library returns them. */
function fromFeatures(features: Blip2Features, part: FeaturePart, layer: number | undefined): EmbeddingModel {
  const more = { part, ...defined({ layer }) };
  return {
    embedImages: (images, options) => features.embed({ images }, { ...options, ...more }),
    embedTexts: (texts, options) => features.embed({ text: texts }, { ...options, ...more }),
    embedPairs: (items, options) => eachPair(items, (inputs) => features.embed(inputs, { ...options, ...more })),
    resizing: features.imageProcessor && resizingOf(features.imageProcessor),
    [Symbol.asyncDispose]: () => features.dispose(),
  };
}

type Items = Parameters<EmbeddingModel['embedPairs']>[0];

/** Every image with every of its texts, as one list of each. */
async function eachPair(
  items: Items,
  embed: (inputs: { readonly images: readonly RgbImage[]; readonly text: readonly string[] }) => Promise<Embedding[]>,
): Promise<readonly (readonly Embedding[])[]> {
  const pairs = items.flatMap(({ image, texts }) => texts.map((text): readonly [RgbImage, string] => [image, text]));
  const inputs = { images: pairs.map(([image]) => image), text: pairs.map(([, text]) => text) };
  const remaining = (await embed(inputs)).values();
  return items.map(({ texts }) => texts.flatMap(() => remaining.next().value ?? []));
}

async function fromParts(
  source: ModelSource,
  options: LoadOptions & { readonly signal: AbortSignal },
  part: VisionPart,
  module: ImportedModule,
): Promise<EmbeddingModel> {
  return withDisposableStack(async ({ use, disposeAsync }) => {
    const parts = use(await openCheckpointParts(source, options));
    const processor = await BlipImageProcessor.fromPretrained(parts.folders.images);
    const custom = use(await customParts(module, parts, options.signal)).parts;
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

interface ImportedModule {
  readonly module: Blip2Module;
  readonly file: string;
}

async function customParts(
  { module, file }: ImportedModule,
  parts: CheckpointParts,
  signal: AbortSignal,
): Promise<ModuleParts> {
  const { loadModuleParts } = await import('../module/load-module-parts.ts');
  const { folder, folders, config } = parts;
  return loadModuleParts(module, file, VISION_PARTS, async () => ({
    folder,
    config,
    parts,
    processor: await Blip2Processor.fromPretrained({ images: folders.images, text: folders.processor }),
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

function fromRetrieval(
  retrieval: Blip2Retrieval,
  part: Exclude<FeaturePart, 'projection' | 'language'>,
): EmbeddingModel {
  return {
    embedImages: (images, options) => retrieval.embed({ images }, { ...options, part }),
    embedTexts: (texts, options) => retrieval.embed({ text: texts }, { ...options, part }),
    embedPairs: (items, options) => eachPair(items, (inputs) => retrieval.embed(inputs, { ...options, part })),
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
