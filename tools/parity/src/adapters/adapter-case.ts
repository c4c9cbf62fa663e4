import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2ForConditionalGeneration } from '@blip2/blip2';
import type { PixelValues, Tensor } from '@blip2/interfaces';
import { loadLanguageModel } from '@blip2/language';
import { loadVisionEncoder } from '@blip2/vision';

import type { Tolerance } from '../golden-case.ts';
import { type GoldenTensors, readGoldenTensors } from '../golden-tensors.ts';
import { asList, asNumber, asObject, asRows, asString } from '../json-shape.ts';

const CASES = join(import.meta.dirname, '../../cases');
/** The folder of all cases of adapters. */
export const ADAPTER_CASES: string = join(CASES, 'values/adapters');

/** Adapters of PEFT, and what PEFT computes with them. */
export interface AdapterCase {
  readonly kind: 'text' | 'image-text' | 'image';
  /** Folder of the base model. */
  readonly base: string;
  /** Folders of adapters that apply together. */
  readonly adapters: readonly string[];
  /** `[batch, sequence]`; absent without text. */
  readonly ids: readonly (readonly number[])[];
  /** `output`, and `pixel_values` with images. */
  readonly tensors: GoldenTensors;
  readonly tolerance: Tolerance;
}

/** Reads a case of adapters. */
export async function readAdapterCase(name: string): Promise<AdapterCase> {
  const folder = join(ADAPTER_CASES, name);
  const json = asObject(JSON.parse(await readFile(join(folder, 'adapter-case.json'), 'utf8')), name);
  return {
    kind: asString(json['kind'], 'kind') as AdapterCase['kind'],
    base: join(CASES, asString(json['base'], 'base'), 'checkpoint'),
    adapters: asList(json['adapters'], 'adapters').map((adapter) => join(folder, asString(adapter, 'adapters'))),
    ids: json['ids'] === undefined ? [] : asRows(json['ids'], 'ids'),
    tensors: await readGoldenTensors(join(folder, 'golden.safetensors')),
    tolerance: { atol: asNumber(json['atol'], 'atol'), rtol: 1e-4 },
  };
}

/** Options of loading a model with adapters. */
export interface AdapterRun {
  readonly adapters: readonly string[];
  readonly convertedDir: string;
  readonly dtype?: 'int8' | 'q8';
}

/** Logits, or hidden states of an encoder, of a case with other adapters. */
export async function runAdapterCase(
  { kind, base, ids, tensors }: AdapterCase,
  options: AdapterRun,
): Promise<Tensor | undefined> {
  const loading = { ...options, threads: 1 };
  if (kind === 'text') {
    await using model = await loadLanguageModel(base, loading);
    return (await model.forward({ inputIds: ids })).logits;
  }
  const pixelValues = tensors.get('pixel_values') as PixelValues;
  if (kind === 'image') {
    await using encoder = await loadVisionEncoder(base, loading);
    return (await encoder.forward({ pixelValues })).lastHiddenState;
  }
  await using model = await Blip2ForConditionalGeneration.fromPretrained(base, loading);
  return (await model.forward({ pixelValues, inputIds: ids })).logits;
}
