import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { readTensorFile, type RecordedTensor } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { Blip2Processor, BlipImageProcessor, decodeImage, Tokenizer } from './index.ts';
import type { PixelTensor } from './pixel-values.ts';

/** All pixel values, ids and texts are compared exactly, even if the golden allows a tolerance. */
const cases = ['opt', 'opt-legacy-fp16', 't5', 'itm', 'instructblip-t5', 'instructblip-llama'];
const root = join(import.meta.dirname, '../../../tools/parity/cases');

interface Entry {
  readonly name: string;
  readonly kind: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

class GoldenCase {
  readonly checkpoint: string;
  readonly entries: readonly Entry[];
  readonly #folder: string;
  readonly #tensors: ReadonlyMap<string, RecordedTensor>;

  constructor(name: string) {
    this.#folder = join(root, name);
    this.checkpoint = join(this.#folder, 'checkpoint');
    this.entries = JSON.parse(readFileSync(join(this.#folder, 'golden.json'), 'utf8')).entries;
    this.#tensors = readTensorFile(readFileSync(join(this.#folder, 'golden.safetensors')));
  }

  image(name: unknown): string {
    return join(this.#folder, 'images', String(name));
  }

  images(names: unknown): string[] {
    return (names as string[]).map((name) => this.image(name));
  }

  tensor(value: unknown): RecordedTensor {
    const found = this.#tensors.get((value as { tensor: string }).tensor);
    if (!found) throw new TypeError(`no tensor ${JSON.stringify(value)}`);
    return found;
  }

  /** The processor's tokenizer with its image token, or the Q-Former's, which has none. */
  tokenizer(which: unknown): Promise<Tokenizer> {
    return which === 'tokenizer'
      ? Tokenizer.fromPretrained(this.checkpoint, { extraSpecialTokens: ['<image>'] })
      : Tokenizer.fromPretrained(this.checkpoint, { subfolder: String(which) });
  }
}

const camel = (name: string): string => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const camelOptions = (options: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value]));

const runners: Readonly<Record<string, (golden: GoldenCase, entry: Entry) => Promise<void>>> = {
  async decode_image(golden, entry) {
    const { data, dims, type } = await decodeImage(golden.image(String(entry.inputs['image'])));
    const expected = golden.tensor(entry.outputs['rgb']);
    expect(type).toBe('uint8');
    expect(dims).toEqual(expected.dims);
    expect(firstDifference(data, expected.data)).toBe(-1);
  },
  async image_processor(golden, entry) {
    const processor = await BlipImageProcessor.fromPretrained(golden.checkpoint);
    const { pixelValues } = await processor.process(golden.images(entry.inputs['images']), camelOptions(entry.options));
    expectPixels(golden, entry, pixelValues);
  },
  async tokenizer_encode(golden, entry) {
    const tokenizer = await golden.tokenizer(entry.inputs['tokenizer']);
    const texts = entry.inputs['texts'] as string[];
    expect(texts.map((text) => tokenizer.encode(text, camelOptions(entry.options)))).toEqual(
      entry.outputs['input_ids'],
    );
  },
  async tokenizer_decode(golden, entry) {
    const tokenizer = await golden.tokenizer(entry.inputs['tokenizer']);
    expect(tokenizer.batchDecode(entry.inputs['ids'] as number[][], camelOptions(entry.options))).toEqual(
      entry.outputs['texts'],
    );
  },
  async processor(golden, entry) {
    const processor = await Blip2Processor.fromPretrained(golden.checkpoint);
    const images = entry.inputs['images'] === undefined ? undefined : golden.images(entry.inputs['images']);
    const outputs = await processor.process(
      { images, text: entry.inputs['text'] as string | string[] | undefined },
      camelOptions(entry.options),
    );
    if ('input_ids' in entry.outputs) expect(outputs.inputIds).toEqual(entry.outputs['input_ids']);
    if ('attention_mask' in entry.outputs) expect(outputs.attentionMask).toEqual(entry.outputs['attention_mask']);
    if ('pixel_values' in entry.outputs) expectPixels(golden, entry, outputs.pixelValues);
  },
};

function expectPixels(golden: GoldenCase, entry: Entry, pixelValues: PixelTensor | undefined): void {
  const expected = golden.tensor(entry.outputs['pixel_values']);
  expect(pixelValues?.dims).toEqual(expected.dims);
  expect(pixelValues?.type).toBe(expected.type);
  expect(firstDifference(pixelValues?.data ?? [], expected.data)).toBe(-1);
}

/** InstructBLIP cases: compares the language model's ids; the Q-Former's are in instructblip-processor.test.ts. */
describe.each(cases)('%s', (name) => {
  const golden = new GoldenCase(name);
  const entries = golden.entries.filter(({ kind }) => kind in runners);
  test('has entries of several kinds', () => {
    expect(new Set(entries.map(({ kind }) => kind)).size).toBeGreaterThan(1);
  });
  test.each(entries.map((entry) => [entry.name, entry] as const))('%s', async (_, entry) => {
    await runners[entry.kind]?.(golden, entry);
  });
});

/** The first index at which two lists differ; -1 if they are equal. */
function firstDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const length = Math.max(actual.length, expected.length);
  for (let index = 0; index < length; index++) if (!Object.is(actual[index], expected[index])) return index;
  return -1;
}

test('firstDifference detects a changed and a missing value', () => {
  expect(firstDifference([1, 2, 3], [1, 2, 3])).toBe(-1);
  expect(firstDifference([1, 2, 3], [1, 2.0000001, 3])).toBe(1);
  expect(firstDifference([1, 2], [1, 2, 3])).toBe(2);
});
