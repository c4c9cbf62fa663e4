import { join } from 'node:path';

import type { Tensor } from '@blip2/interfaces';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { contrastScore, matchScore } from '../explain/image-scores.ts';
import { queryAttention } from '../explain/query-attention.ts';
import { Blip2Retrieval, createBlip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import type { RetrievalTaskParts } from '../retrieval/encode-retrieval-inputs.ts';
import { Blip2, createBlip2 } from '../tasks/blip2.ts';
import { createInstructBlip, InstructBlip } from '../tasks/instructblip.ts';

const root = join(import.meta.dirname, '../../../..');
const image = join(root, 'examples/left-of.png');
const options = { threads: 1 } as const;

/** A copy with NaN as its last value. */
function spoiled<T extends Tensor<'float32'>>(tensor: T): T {
  const data = tensor.data.slice();
  data[data.length - 1] = NaN;
  return { ...tensor, data };
}
const notFinite = (part: string): unknown =>
  expect.objectContaining({ code: 'NOT_FINITE', details: expect.objectContaining({ subject: part }) as unknown });

describe('a NaN in the result of a custom part of createBlip2', () => {
  let blip2: Blip2;
  beforeAll(async () => {
    blip2 = await Blip2.fromPretrained(join(root, 'apps/cli/models/blip2-opt-shapes'), options);
  });
  afterAll(() => blip2.dispose());

  test.each(['vision encoder', 'Q-Former', 'language projection'])('%s', async (part) => {
    const { vision, qformer, projection, language } = blip2.pipeline;
    const custom = createBlip2({
      processor: blip2.processor,
      vision:
        part === 'vision encoder'
          ? { ...vision, encode: async (...args) => spoiled(await vision.encode(...args)) }
          : vision,
      // Only the last query is NaN: the parts after it would hide which part it came from.
      qformer:
        part === 'Q-Former' ? { ...qformer, query: async (patches) => spoiled(await qformer.query(patches)) } : qformer,
      projection:
        part === 'language projection'
          ? { ...projection, project: async (queries) => spoiled(await projection.project(queries)) }
          : projection,
      language,
    });
    await expect(custom.caption(image)).rejects.toEqual(notFinite(part));
    await expect(custom.rank(image, 'what?', ['a star'])).rejects.toEqual(notFinite(part));
    await expect(custom.encode(image)).rejects.toEqual(notFinite(part));
  });
});

describe('a NaN in the result of a custom part of createInstructBlip', () => {
  let instructBlip: InstructBlip;
  beforeAll(async () => {
    instructBlip = await InstructBlip.fromPretrained(
      join(root, 'tools/parity/cases/instructblip-t5/checkpoint'),
      options,
    );
  });
  afterAll(() => instructBlip.dispose());

  test.each(['vision encoder', 'Q-Former', 'language projection'])('%s', async (part) => {
    const { vision, qformer, projection, language } = instructBlip.pipeline;
    const custom = createInstructBlip({
      processor: instructBlip.processor,
      vision:
        part === 'vision encoder'
          ? { ...vision, encode: async (...args) => spoiled(await vision.encode(...args)) }
          : vision,
      qformer:
        part === 'Q-Former' ? { ...qformer, query: async (...args) => spoiled(await qformer.query(...args)) } : qformer,
      projection:
        part === 'language projection'
          ? { ...projection, project: async (queries) => spoiled(await projection.project(queries)) }
          : projection,
      language,
    });
    await expect(custom.answer(image, 'what?')).rejects.toEqual(notFinite(part));
  });
});

describe('a NaN in the result of a custom part of createBlip2Retrieval', () => {
  let retrieval: Awaited<ReturnType<typeof Blip2Retrieval.fromPretrained>>;
  let parts: RetrievalTaskParts;
  beforeAll(async () => {
    retrieval = await Blip2Retrieval.fromPretrained(join(root, 'apps/cli/models/blip2-itm-shapes'), options);
    parts = { ...retrieval.model, processor: retrieval.processor };
  });
  afterAll(() => retrieval.dispose());
  const tasks = (custom: Partial<RetrievalTaskParts>): Blip2Retrieval =>
    createBlip2Retrieval({ ...parts, ...custom }, async () => undefined);
  const blank = (): Parameters<RetrievalTaskParts['visionModel']['encode']>[0] => {
    const { imageSize } = parts.visionModel;
    return { type: 'float32', dims: [1, 3, imageSize, imageSize], data: new Float32Array(3 * imageSize ** 2) };
  };

  test('vision encoder', async () => {
    const { visionModel } = parts;
    const custom: Partial<RetrievalTaskParts> = {
      visionModel: { ...visionModel, encode: async (...args) => spoiled(await visionModel.encode(...args)) },
    };
    const failure = notFinite('vision encoder');
    await expect(tasks(custom).embed({ images: [image] }, { part: 'vision' })).rejects.toEqual(failure);
    await expect(tasks(custom).match(image, 'a star')).rejects.toEqual(failure);
    await expect(matchScore({ ...parts, ...custom }, 'a star')(blank(), {})).rejects.toEqual(failure);
    await expect(contrastScore({ ...parts, ...custom }, 'a star')(blank(), {})).rejects.toEqual(failure);
    const { visionModel: vision, qformer } = retrieval.model;
    const damaged = { config: vision.config, encode: custom.visionModel!.encode };
    await expect(queryAttention({ vision: damaged, qformer }, blank())).rejects.toEqual(failure);
  });

  test('Q-Former', async () => {
    const { qformer } = parts;
    const failure = notFinite('Q-Former');
    const query: typeof qformer.query = async (...args) => spoiled(await qformer.query(...args));
    await expect(tasks({ qformer: { ...qformer, query } }).match(image, 'a star')).rejects.toEqual(failure);
    await expect(
      tasks({ qformer: { ...qformer, query } }).embed({ images: [image], text: ['a star'] }),
    ).rejects.toEqual(failure);
    await expect(matchScore({ ...parts, qformer: { ...qformer, query } }, 'a star')(blank(), {})).rejects.toEqual(
      failure,
    );
    const read: typeof qformer.read = async (...args) => {
      const output = await qformer.read(...args);
      return { ...output, lastHiddenState: spoiled(output.lastHiddenState) };
    };
    for (const part of ['text', 'text-proj'] as const)
      await expect(tasks({ qformer: { ...qformer, read } }).embed({ text: ['a star'] }, { part })).rejects.toEqual(
        failure,
      );
    const forward: typeof qformer.forward = async (...args) => {
      const output = await qformer.forward(...args);
      const { lastHiddenState, crossAttentions } = output;
      return {
        ...output,
        lastHiddenState: spoiled(lastHiddenState),
        ...(crossAttentions && { crossAttentions: crossAttentions.map((map) => spoiled(map)) }),
      };
    };
    await expect(tasks({ qformer: { ...qformer, forward } }).embed({ images: [image] })).rejects.toEqual(failure);
    const { visionModel: vision } = retrieval.model;
    await expect(queryAttention({ vision, qformer: { forward } }, blank())).rejects.toEqual(failure);
  });

  test('retrieval head', async () => {
    const { visionProjection, textProjection, itmHead } = parts;
    const failure = notFinite('retrieval head');
    const images = tasks({
      visionProjection: {
        ...visionProjection,
        project: async (states) => spoiled(await visionProjection.project(states)),
      },
    });
    await expect(images.embed({ images: [image] })).rejects.toEqual(failure);
    await expect(images.classify(image, ['a star'])).rejects.toEqual(failure);
    const texts = tasks({
      textProjection: { ...textProjection, project: async (states) => spoiled(await textProjection.project(states)) },
    });
    await expect(texts.embed({ text: ['a star'] })).rejects.toEqual(failure);
    const custom = {
      itmHead: { ...itmHead, classify: async (queries) => spoiled(await itmHead.classify(queries)) },
    } satisfies Partial<RetrievalTaskParts>;
    await expect(tasks(custom).match(image, 'a star')).rejects.toEqual(failure);
    await expect(tasks(custom).retrieve([image], ['a star'])).rejects.toEqual(failure);
    await expect(matchScore({ ...parts, ...custom }, 'a star')(blank(), {})).rejects.toEqual(failure);
  });
});
