import { Blip2Retrieval, openCheckpointParts, type CheckpointParts, type LoadOptions } from '@blip2/blip2';
import { Blip2Error, type PatchFeatures, type RgbImage, type Tensor } from '@blip2/interfaces';
import { BlipImageProcessor } from '@blip2/processor';
import type { Embedding, EmbeddingModel, EmbedPart, LoadEmbeddingModel } from './model-port.ts';
import { dtypeOption } from '../options/dtype.ts';
import { resizingOf } from './resizing-of.ts';

/** The library behind the port, in a worker thread: of any checkpoint where its encoder, Q-Former or projection is asked for, else of a retrieval checkpoint. */
export const loadEmbeddingModel: LoadEmbeddingModel = async (source, part, { dtype, ...settings }) => {
  const options: LoadOptions = { ...settings, ...dtypeOption(dtype), isolate: 'worker' };
  return part === 'vision' || part === 'qformer' || part === 'projection' ? fromParts(await openCheckpointParts(source, options), part) : fromRetrieval(await Blip2Retrieval.fromPretrained(source, options), part);
};

async function fromParts(parts: CheckpointParts, part: 'vision' | 'qformer' | 'projection'): Promise<EmbeddingModel> {
  const dispose = async (): Promise<void> => parts[Symbol.asyncDispose]();
  try {
    const processor = await BlipImageProcessor.fromPretrained(parts.folder);
    const vision = await parts.vision();
    const after = await stagesAfter(parts, part);
    return {
      async embedImages(images, { signal }) {
        const { pixelValues } = await processor.process(images, { signal });
        if (!isFloat(pixelValues)) throw new Blip2Error('INVALID_CONFIG', 'The image processor neither rescales nor normalises', { where: 'preprocessor_config.json', expected: 'do_rescale or do_normalize' });
        let states: Tensor<'float32', [number, number, number]> = await vision.encode(pixelValues);
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
  } catch (error) {
    await dispose();
    throw error;
  }
}

type Stage = (states: PatchFeatures) => Promise<PatchFeatures>;

async function stagesAfter(parts: CheckpointParts, part: 'vision' | 'qformer' | 'projection'): Promise<readonly Stage[]> {
  if (part === 'vision') return [];
  const qformer = await parts.qformer();
  const query: Stage = (states) => qformer.query(states);
  if (part === 'qformer') return [query];
  const projection = await parts.projection();
  return [query, (states) => projection.project(states)];
}

function fromRetrieval(retrieval: Blip2Retrieval, part: Exclude<EmbedPart, 'projection'>): EmbeddingModel {
  return {
    embedImages: (images, options) => retrieval.embed({ images }, { ...options, part }),
    embedTexts: (texts, options) => retrieval.embed({ text: texts }, { ...options, part }),
    async embedPairs(items, options) {
      const pairs = items.flatMap(({ image, texts }) => texts.map((text): readonly [RgbImage, string] => [image, text]));
      const remaining = (await retrieval.embed({ images: pairs.map(([image]) => image), text: pairs.map(([, text]) => text) }, { ...options, part })).values();
      return items.map(({ texts }) => texts.flatMap(() => remaining.next().value ?? []));
    },
    resizing: resizingOf(retrieval.processor.imageProcessor),
    [Symbol.asyncDispose]: () => retrieval.dispose(),
  };
}

function noSuchPart(part: EmbedPart): never {
  throw new Blip2Error('INVALID_ARGUMENT', 'A text has no such part', { where: '--part', got: part });
}

function isFloat(pixelValues: Tensor): pixelValues is Tensor<'float32', [number, number, number, number]> {
  return pixelValues.type === 'float32';
}

function rowsOf({ dims: [batch, ...dims], data }: PatchFeatures): Embedding[] {
  const size = data.length / batch;
  return Array.from({ length: batch }, (_, row) => ({ dims, data: data.slice(row * size, (row + 1) * size) }));
}
