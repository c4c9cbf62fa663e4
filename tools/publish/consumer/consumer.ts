// What somebody who installed the packages writes, under the strictest settings. It is compiled, not run: where a type
// is `any` or missing, an @ts-expect-error is unused, which is an error.
import { Blip2, type TextResult } from '@blip2/blip2';
import { Blip2Token, createBlip2Container } from '@blip2/blip2/container';
import { type Checkpoint, openCheckpoint } from '@blip2/checkpoint';
import { main } from '@blip2/cli';
import { Blip2Config } from '@blip2/config';
import { createRandom, generate } from '@blip2/generate';
import { Blip2Error, type PatchFeatures, VisionEncoder } from '@blip2/interfaces';
import { OptForCausalLM } from '@blip2/language';
import { buildGraph } from '@blip2/onnx';
import { Blip2Processor, Tokenizer } from '@blip2/processor';
import { Blip2QFormerModel, LanguageProjection } from '@blip2/qformer';
import { createSession } from '@blip2/runtime';
import { fakeVisionEncoder } from '@blip2/testing';
import { Blip2VisionModel } from '@blip2/vision';

export async function caption(model: string, image: string): Promise<string> {
  const blip2 = await Blip2.fromPretrained(model);
  const { text }: TextResult = await blip2.caption(image);
  // @ts-expect-error an image is no number
  await blip2.caption(7);
  await blip2.dispose();
  return text;
}

/** A custom part behind an interface, through the container. */
export async function swap(model: string, width: number): Promise<TextResult> {
  const encoder: VisionEncoder = fakeVisionEncoder({ imageSize: 64, patches: 17, hiddenSize: width });
  const container = await createBlip2Container(model);
  await container.replace(VisionEncoder, [], () => encoder);
  // @ts-expect-error a number is no encoder
  await container.replace(VisionEncoder, [], () => 7);
  return (await container.get(Blip2Token)).caption('image.jpg');
}

export async function parts(model: string): Promise<PatchFeatures> {
  const [vision, qformer, projection, language, processor] = await Promise.all([
    Blip2VisionModel.fromPretrained(model),
    Blip2QFormerModel.fromPretrained(model),
    LanguageProjection.fromPretrained(model),
    OptForCausalLM.fromPretrained(model),
    Blip2Processor.fromPretrained(model),
  ]);
  const { pixelValues } = await processor.process({ images: 'image.jpg' });
  const patches = await vision.encode(pixelValues);
  const prefix = await projection.project(await qformer.query(patches));
  // @ts-expect-error embeddings are no pixels
  await vision.encode(prefix.dims);
  await language.dispose();
  return patches;
}

export async function read(folder: string): Promise<Checkpoint> {
  const tokenizer = await Tokenizer.fromPretrained(folder);
  // @ts-expect-error the tokenizer's types are the package's own, not those of the library behind it
  tokenizer.encode(7);
  return openCheckpoint(folder);
}

export function codeOf(error: unknown): string {
  return error instanceof Blip2Error ? error.code : 'none';
}

export const values: readonly unknown[] = [Blip2Config, buildGraph, createRandom, createSession, generate, main];
