import { join } from 'node:path';

import { LanguageModel, token, VisionEncoder } from '@blip2/interfaces';
import { loadVisionEncoder } from '@blip2/vision';
import { describe, expect, test } from 'vitest';

import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import { Blip2 } from '../tasks/blip2.ts';
import { InstructBlip } from '../tasks/instructblip.ts';
import { image, model } from './fixtures/demo-model.ts';
import { Blip2Token, createBlip2Container, InstructBlipToken, RetrievalToken, TextQFormerToken } from './index.ts';

const root = join(import.meta.dirname, '../../../..');
const instruct = join(root, 'tools/parity/cases/instructblip-llama/checkpoint');
const retrieval = join(root, 'apps/cli/models/blip2-itm-shapes');
const options = { threads: 1 };

describe('a container of a checkpoint', () => {
  test('of InstructBLIP builds its tasks', async () => {
    await using container = await createBlip2Container(instruct, options);
    const tasks = await container.get(InstructBlipToken);
    await using own = await InstructBlip.fromPretrained(instruct, options);
    const generation = { maxNewTokens: 5 };
    expect((await tasks.caption(image, generation)).tokenIds).toEqual((await own.caption(image, generation)).tokenIds);
    expect(await container.get(TextQFormerToken)).toBe(tasks.pipeline.qformer);
    await expect(container.get(Blip2Token)).rejects.toMatchObject({
      code: 'UNSUPPORTED_ARCHITECTURE',
      message: expect.stringContaining('InstructBlipToken') as string,
    });
  });

  test('of a retrieval model builds its tasks, with a replaced encoder', async () => {
    await using container = await createBlip2Container(retrieval, options);
    const encoder = await loadVisionEncoder(retrieval, options);
    await container.replace(VisionEncoder, [], () => encoder);
    const tasks = await container.get(RetrievalToken);
    await using own = await Blip2Retrieval.fromPretrained(retrieval, options);
    const text = 'a blue triangle';
    expect(await tasks.match(image, text)).toEqual(await own.match(image, text));
    await tasks.dispose();
  });

  test('of BLIP-2 has no Q-Former with text, and no retrieval', async () => {
    await using container = await createBlip2Container(model, options);
    for (const id of [TextQFormerToken, RetrievalToken])
      await expect(container.get<unknown>(id)).rejects.toMatchObject({ code: 'UNSUPPORTED_ARCHITECTURE' });
  });

  test('takes a source per part', async () => {
    const sources = { qformer: model, vision: model, language: model, processor: model };
    await using container = await createBlip2Container(sources, options);
    const { text } = await (await container.get(Blip2Token)).caption(image);
    await using own = await Blip2.fromPretrained(model, options);
    expect(text).toBe((await own.caption(image)).text);
    await expect(createBlip2Container({ qformer: 7 } as never).then(({ get }) => get(Blip2Token))).rejects.toThrow(
      'source.qformer must be a folder or a Hub id',
    );
  });
});

describe('decorate', () => {
  test('wraps the bound part, also more than once and after replace', async () => {
    await using container = await createBlip2Container(model, options);
    const order: string[] = [];
    const traced =
      (name: string) =>
      (inner: VisionEncoder): VisionEncoder => ({
        imageSize: inner.imageSize,
        hiddenSize: inner.hiddenSize,
        encode: (pixelValues, encodeOptions) => (order.push(name), inner.encode(pixelValues, encodeOptions)),
        [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
      });
    const replacement = await loadVisionEncoder(model, options);
    await container.replace(VisionEncoder, [], () => traced('replaced')(replacement));
    await container.decorate(VisionEncoder, [], traced('inner'));
    // Dependencies come after the part.
    await container.decorate(VisionEncoder, [LanguageModel], (inner, language) => {
      expect(language.architecture).toBe('causal');
      return traced('outer')(inner);
    });
    const blip2 = await container.get(Blip2Token);
    await blip2.caption(image, { maxNewTokens: 1 });
    expect(order).toEqual(['outer', 'inner', 'replaced']);
    await replacement.dispose();
  });

  test('is refused too late, and for what is not bound', async () => {
    const container = await createBlip2Container(model, options);
    await expect(container.decorate(token<object>('Nothing'), [], (inner) => inner)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    const own = token<object>('Own');
    container.container.bind(own).toConstantValue({});
    await expect(container.decorate(own, [], (inner) => inner)).rejects.toThrow('Call replace first');
    await container.get(Blip2Token);
    await expect(container.decorate(VisionEncoder, [], (inner) => inner)).rejects.toMatchObject({
      code: 'INVALID_STATE',
      message: expect.stringContaining('blip2.VisionEncoder is decorated too late') as string,
    });
    await container[Symbol.asyncDispose]();
    await expect(container.decorate(VisionEncoder, [], (inner) => inner)).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});
