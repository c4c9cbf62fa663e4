import {
  type Blip2Parts,
  type Blip2Retrieval,
  type CheckpointParts,
  type LoadOptions,
  openCheckpointParts,
} from '@blip2/blip2';
import { Blip2Error, type PatchFeatures, type RgbImage, type Tensor } from '@blip2/interfaces';
import { Blip2Processor, BlipImageProcessor, expectFloatPixels } from '@blip2/processor';

import { assemble } from '../module/assemble.ts';
import type { GivenParts } from '../module/given-parts.ts';
import { dtypeOption } from '../options/dtype.ts';
import type { Embedding, EmbeddingModel, EmbedPart, LoadEmbeddingModel } from './model-port.ts';
import { openRetrieval } from './open-retrieval.ts';
import { resizingOf } from './resizing-of.ts';

/**
 * The library behind the port, in a worker thread: of any checkpoint where its encoder, Q-Former or projection is asked
 * for, else of a retrieval checkpoint.
 */
export const loadEmbeddingModel: LoadEmbeddingModel = async (source, part, { dtype, module, ...settings }) => {
  const options = { ...settings, ...dtypeOption(dtype), isolate: 'worker' } as const;
  if (part !== 'vision' && part !== 'qformer' && part !== 'projection')
    return fromRetrieval(await openRetrieval(source, module, options), part);
  return fromParts(source, options, part, module);
};

/** Parts in front of the language model. */
const SEEING = ['vision', 'qformer', 'projection'] as const;

async function fromParts(
  source: string,
  options: LoadOptions & { readonly signal: AbortSignal },
  part: (typeof SEEING)[number],
  module: string | undefined,
): Promise<EmbeddingModel> {
  return assemble(async ({ keep, dispose }) => {
    const parts = keep(await openCheckpointParts(source, options));
    const processor = await BlipImageProcessor.fromPretrained(parts.folder);
    const given = module === undefined ? {} : keep(await givenBy(module, parts, options.signal)).parts;
    const vision = given.vision ?? (await parts.vision());
    const after = await stagesAfter(parts, given, part);
    return {
      async embedImages(images, { signal }) {
        const { pixelValues } = await processor.process(images, { signal });
        let states: Tensor<'float32', [number, number, number]> = await vision.encode(expectFloatPixels(pixelValues));
        for (const stage of after) {
          signal.throwIfAborted();
          states = await stage(states);
        }
        return rowsOf(states);
      },
      embedTexts: () => noSuchPart(part),
      embedPairs: () => noSuchPart(part),
      resizing: resizingOf(processor),
      [Symbol.asyncDispose]: dispose,
    };
  });
}

type Stage = (states: PatchFeatures) => Promise<PatchFeatures>;

async function givenBy(module: string, parts: CheckpointParts, signal: AbortSignal): Promise<GivenParts> {
  const { givenSeeingParts } = await import('../module/given-parts.ts');
  const { folder, config } = parts;
  return givenSeeingParts(module, SEEING, async () => ({
    folder,
    config,
    parts,
    processor: await Blip2Processor.fromPretrained(folder),
    signal,
  }));
}

async function stagesAfter(
  parts: CheckpointParts,
  given: Partial<Blip2Parts>,
  part: (typeof SEEING)[number],
): Promise<readonly Stage[]> {
  if (part === 'vision') return [];
  const vision = given.vision ?? (await parts.vision());
  const qformer = given.qformer ?? (await parts.qformer());
  expectNeighbours('vision.hiddenSize', vision.hiddenSize, 'qformer.encoderHiddenSize', qformer.encoderHiddenSize);
  const query: Stage = (states) => qformer.query(states);
  if (part === 'qformer') return [query];
  const projection = given.projection ?? (await parts.projection());
  expectNeighbours('qformer.hiddenSize', qformer.hiddenSize, 'projection.inFeatures', projection.inFeatures);
  return [query, (states) => projection.project(states)];
}

function expectNeighbours(a: string, left: number, b: string, right: number): void {
  if (left !== right)
    throw new Blip2Error('SHAPE_MISMATCH', `${a} is ${left} but ${b} is ${right}`, {
      where: '--module',
      fix: 'Use parts that were trained together',
    });
}

function fromRetrieval(retrieval: Blip2Retrieval, part: Exclude<EmbedPart, 'projection'>): EmbeddingModel {
  return {
    embedImages: (images, options) => retrieval.embed({ images }, { ...options, part }),
    embedTexts: (texts, options) => retrieval.embed({ text: texts }, { ...options, part }),
    async embedPairs(items, options) {
      const pairs = items.flatMap(({ image, texts }) =>
        texts.map((text): readonly [RgbImage, string] => [image, text]),
      );
      const remaining = (
        await retrieval.embed(
          { images: pairs.map(([image]) => image), text: pairs.map(([, text]) => text) },
          { ...options, part },
        )
      ).values();
      return items.map(({ texts }) => texts.flatMap(() => remaining.next().value ?? []));
    },
    resizing: resizingOf(retrieval.processor.imageProcessor),
    [Symbol.asyncDispose]: () => retrieval.dispose(),
  };
}

function noSuchPart(part: EmbedPart): never {
  throw new Blip2Error('INVALID_ARGUMENT', 'A text has no such part', { where: '--part', got: part });
}

function rowsOf({ dims: [batch, ...dims], data }: PatchFeatures): Embedding[] {
  const size = data.length / batch;
  return Array.from({ length: batch }, (_, row) => ({ dims, data: data.slice(row * size, (row + 1) * size) }));
}
