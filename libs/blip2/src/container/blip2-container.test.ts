import { LanguageModel, LanguageProjection, QFormer, type Token, token, VisionEncoder } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { fakeVisionEncoder } from '@blip2/testing';
import { Container } from 'inversify';
import { describe, expect, test } from 'vitest';

import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import { image, model } from './fixtures/demo-model.ts';
import {
  blip2Module,
  Blip2Token,
  CheckpointPartsToken,
  createBlip2Container,
  ProcessorToken,
  provide,
} from './index.ts';

describe('createBlip2Container', () => {
  test('builds the tasks and creates each part once', async () => {
    await using container = await createBlip2Container(model);
    const blip2 = await container.get(Blip2Token);
    expect((await blip2.caption(image, { maxNewTokens: 4 })).tokenIds.length).toBeGreaterThan(0);
    expect(await container.get(Blip2Token)).toBe(blip2);
    expect(await container.get(VisionEncoder)).toBe(blip2.pipeline.vision);
    expect(await container.get(LanguageModel)).toBe(blip2.pipeline.language);
    expect(await container.get(ProcessorToken)).toBe(blip2.processor);
  });

  test('creates no language model if only the vision encoder is requested', async () => {
    const made: string[] = [];
    await using container = await createBlip2Container(model, {
      createSession: (graph, options) => (made.push(graph.name), createSession(graph, options)),
    });
    const parts = await container.get(CheckpointPartsToken);
    let languages = 0;
    await container.replace(CheckpointPartsToken, [], () => ({
      ...parts,
      language: () => ((languages += 1), parts.language()),
    }));
    const vision = await container.get(VisionEncoder);
    await vision.encode({ type: 'float32', dims: [1, 3, 64, 64], data: new Float32Array(3 * 64 * 64) });
    expect({ made, languages }).toEqual({ made: ['vision_model'], languages: 0 });
    await container.get(LanguageModel);
    expect(languages).toBe(1);
    await parts[Symbol.asyncDispose]();
  });

  test('reports a replacement that comes too late or has no effect, and unknown tokens and options', async () => {
    const container = await createBlip2Container(model, { threads: 1 });
    const encoder = () => fakeVisionEncoder({ imageSize: 64, hiddenSize: 128, patches: 3 });
    const invalid = { code: 'INVALID_ARGUMENT' };
    await expect(container.replace(token<object>('Nothing'), [], () => ({}))).rejects.toMatchObject(invalid);
    await expect(container.get(undefined as never)).rejects.toMatchObject(invalid);
    await container.get(VisionEncoder);
    // Requested, but used by nothing yet.
    await container.replace(VisionEncoder, [], encoder);
    await container.get(Blip2Token);
    await expect(container.replace(VisionEncoder, [], encoder)).rejects.toMatchObject({
      code: 'INVALID_STATE',
      message: expect.stringContaining('blip2.VisionEncoder is replaced too late') as string,
    });
    await container[Symbol.asyncDispose]();
    await expect(createBlip2Container(model, { foo: 1 } as never)).rejects.toMatchObject({ code: 'UNKNOWN_OPTION' });
  });

  test('replaces the encoder of the checkpoint', async () => {
    await using container = await createBlip2Container(model);
    await container.replace(VisionEncoder, [], () => fakeVisionEncoder({ imageSize: 64, hiddenSize: 128, patches: 3 }));
    const blip2 = await container.get(Blip2Token);
    expect(
      (
        await blip2.pipeline.vision.encode({
          type: 'float32',
          dims: [1, 3, 64, 64],
          data: new Float32Array(3 * 64 * 64),
        })
      ).dims,
    ).toEqual([1, 3, 128]);
    expect((await blip2.caption(image, { maxNewTokens: 2 })).tokenIds.length).toBeGreaterThan(0);
  });

  test('refuses an encoder of another width', async () => {
    await using container = await createBlip2Container(model);
    await container.replace(VisionEncoder, [], () => fakeVisionEncoder({ imageSize: 64, hiddenSize: 7, patches: 3 }));
    await expect(container.get(Blip2Token)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
  });

  test('opens no checkpoint on disposal', async () => {
    const container = await createBlip2Container('/nowhere');
    await container[Symbol.asyncDispose]();
    const failing = await createBlip2Container('/nowhere');
    await expect(failing.get(VisionEncoder)).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await failing[Symbol.asyncDispose]();
  });

  test('disposes of the parts that it created', async () => {
    const container = await createBlip2Container(model);
    const vision = await container.get(VisionEncoder);
    await container[Symbol.asyncDispose]();
    await container[Symbol.asyncDispose]();
    await expect(
      vision.encode({ type: 'float32', dims: [1, 3, 64, 64], data: new Float32Array(3 * 64 * 64) }),
    ).rejects.toMatchObject({ code: 'DISPOSED' });
    await expect(container.get(LanguageModel)).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});

describe('provide', () => {
  const Width: Token<number> = token('Width');
  const Name: Token<string> = token('Name');
  const Label: Token<string> = token('Label');

  test('passes dependencies to a factory in order', async () => {
    const container = new Container();
    const bind = container.bind.bind(container);
    provide(bind, Width, [], () => 3);
    provide(bind, Name, [], async () => 'vision');
    provide(bind, Label, [Name, Width], (name, width) => `${name} ${width.toFixed()}`);
    expect(await container.getAsync(Label)).toBe('vision 3');
  });

  test('does not compile with swapped, missing or wrong dependencies', () => {
    const bind = new Container().bind;
    const label = (name: string, width: number): string => `${name} ${width.toFixed()}`;
    const never = (): void => {
      // @ts-expect-error swapped
      provide(bind, Label, [Width, Name], label);
      // @ts-expect-error missing
      provide(bind, Label, [Name], label);
      // @ts-expect-error another result than that of the token
      provide(bind, Width, [Name, Width], label);
      // @ts-expect-error no Q-Former but a projection
      provide(bind, QFormer, [LanguageProjection], (projection) => projection);
      provide(bind, Label, [Name, Width], label);
    };
    expect(never).toBeTypeOf('function');
  });

  test('creates the bindings of a checkpoint', async () => {
    const container = new Container();
    await container.load(blip2Module(model));
    const qformer = await container.getAsync<QFormer>(QFormer);
    expect(qformer.encoderHiddenSize).toBe((await container.getAsync<VisionEncoder>(VisionEncoder)).hiddenSize);
    await (await container.getAsync<CheckpointParts>(CheckpointPartsToken))[Symbol.asyncDispose]();
  });
});
