import { join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';
import { expect, test } from 'vitest';

import { BlipImageProcessor } from './blip-image-processor.ts';
import { Blip2Processor } from './blip2-processor.ts';
import { InstructBlipProcessor } from './instructblip-processor.ts';
import { Tokenizer } from './tokenizer/tokenizer.ts';

const checkpoint = (name: string): string =>
  join(import.meta.dirname, '../../../tools/parity/cases', name, 'checkpoint');
const image = { data: new Uint8Array(27), width: 3, height: 3, channels: 3 } as const;
const processor = await Blip2Processor.fromPretrained(checkpoint('opt'));
const instructed = await InstructBlipProcessor.fromPretrained(checkpoint('instructblip-llama'));
const { tokenizer } = processor;

async function failureOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    if (error instanceof Blip2Error) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'none';
}

/** Options in other spellings, of HF, and misspelt ones; each would change the result if it were honoured. */
test.each([
  ['do_resize', 'Did you mean "doResize"?'],
  ['image_mean', 'Did you mean "imageMean"?'],
  ['padding_side', 'Did you mean "paddingSide"?'],
  ['max_length', 'Did you mean "maxLength"?'],
  ['maxlength', 'Did you mean "maxLength"?'],
  ['Truncation', 'Did you mean "truncation"?'],
  ['add_special_tokens', 'Did you mean "addSpecialTokens"?'],
  ['return_tensors', 'Rows of ids are plain arrays'],
  ['padToMultipleOf', "Pass padding: 'max_length' with a multiple as maxLength"],
  ['do_convert_rgb', 'Images are always converted to RGB'],
  ['stride', /^The options are padding, /],
  ['returnOffsetsMapping', /^The options are padding, /],
] as const)('process refuses the option %s', async (name, fix) => {
  for (const [label, each] of [
    ['Blip2Processor', processor],
    ['InstructBlipProcessor', instructed],
  ] as const) {
    const start = `UNKNOWN_OPTION: Unknown option "${name}" (${label}.process). `;
    const failure = await failureOf(() => each.process({ images: image, text: 'a' }, { [name]: false }));
    expect(failure.slice(0, start.length)).toBe(start);
    expect(failure.slice(start.length)).toMatch(fix);
  }
});

test('process accepts every option of texts and images', async () => {
  const signal = new AbortController().signal;
  const { pixelValues, inputIds } = await processor.process(
    { images: image, text: 'a' },
    {
      padding: 'max_length',
      paddingSide: 'left',
      truncation: true,
      truncationSide: 'left',
      maxLength: 9,
      addSpecialTokens: true,
      escapeSpecialTokens: true,
      doResize: true,
      size: 4,
      resample: 'nearest',
      doCenterCrop: true,
      cropSize: 2,
      doRescale: true,
      rescaleFactor: 1,
      doNormalize: true,
      imageMean: 0,
      imageStd: 1,
      autoOrient: true,
      allowUrls: false,
      allowPrivateUrls: false,
      maxPixels: 9,
      signal,
    },
  );
  expect([pixelValues.dims, inputIds[0]?.length]).toEqual([[1, 3, 2, 2], 9]);
});

test('process refuses inputs that do not exist', async () => {
  expect(await failureOf(() => processor.process({ images: image, texts: 'a' } as object))).toBe(
    'UNKNOWN_OPTION: Unknown option "texts" (inputs of Blip2Processor.process). Did you mean "text"?',
  );
  for (const inputs of [undefined, null, 'image.jpg', new Uint8Array(3)])
    expect(await failureOf(() => processor.process(inputs as never))).toMatch(/^INVALID_ARGUMENT: /);
});

test('the image processor refuses options that do not exist', async () => {
  for (const options of [{ do_resize: false }, { maxLength: 3 }, { center_crop: true }])
    expect(await failureOf(() => BlipImageProcessor.create().process(image, options as object))).toMatch(
      /^UNKNOWN_OPTION: .*\(BlipImageProcessor\.process\)/,
    );
});

test('the tokenizer refuses options that do not exist', async () => {
  const calls: readonly (readonly [() => unknown, RegExp])[] = [
    [() => tokenizer.encode('a', { add_special_tokens: false } as object), /Did you mean "addSpecialTokens"/],
    [() => tokenizer.encode('a', { maxLength: 3 } as object), /Only batchEncode and process pad and truncate/],
    [() => tokenizer.batchEncode(['a'], { max_length: 3 } as object), /Did you mean "maxLength"/],
    [() => tokenizer.decode([2], { skip_special_tokens: true } as object), /Did you mean "skipSpecialTokens"/],
    [() => tokenizer.decode([2], { cleanUpTokenizationSpaces: true } as object), /tokenizer_config\.json/],
    [() => processor.batchDecode([[2]], { skipSpecialToken: true } as object), /Did you mean "skipSpecialTokens"/],
  ];
  for (const [call, fix] of calls)
    expect(await failureOf(call)).toMatch(new RegExp(`^UNKNOWN_OPTION: .*${fix.source}`));
});

test('fromPretrained refuses options that do not exist', async () => {
  for (const each of [Tokenizer, BlipImageProcessor, Blip2Processor, InstructBlipProcessor]) {
    const load = (options: object): Promise<string> =>
      failureOf(() => each.fromPretrained(checkpoint('instructblip-llama'), options));
    expect(await load({ local_files_only: true })).toMatch(/^UNKNOWN_OPTION: .*Did you mean "localFilesOnly"/);
    expect(await load({ padding_side: 'left' })).toMatch(/^UNKNOWN_OPTION: .*Pass paddingSide to process/);
    expect(await load({ useFast: true })).toMatch(/^UNKNOWN_OPTION: /);
  }
});

test.each([
  { truncation: 'longest_first' },
  { truncation: 'do_not_truncate' },
  { truncation: 1 },
  { padding: 'maxLength' },
  { padding: 1 },
  { addSpecialTokens: 'false' },
  { escapeSpecialTokens: 0 },
])('refuses the option value %j', async (options) => {
  expect(await failureOf(() => tokenizer.batchEncode(['a b c'], { maxLength: 3, ...(options as object) }))).toMatch(
    new RegExp(`^INVALID_ARGUMENT: ${Object.keys(options)[0]} must be `),
  );
});

test('refuses tensors and other values in place of ids and texts', async () => {
  const tensor = { type: 'int64', dims: [1, 2], data: new BigInt64Array(2) };
  const calls: readonly (readonly [() => unknown, string])[] = [
    [() => tokenizer.batchDecode(tensor as never), 'rows must be a list of lists of token ids, got an object'],
    [() => tokenizer.batchDecode([2, 3] as never), 'ids must be a list of numbers, got 2'],
    [() => processor.batchDecode(undefined as never), 'rows must be a list of lists of token ids, got undefined'],
    [() => tokenizer.decode(tensor.data as never), 'ids must be a list of numbers, got an object'],
    [() => tokenizer.decode([2n] as never), 'ids must be a list of numbers, got a list'],
    [() => tokenizer.decode([2], { skipSpecialTokens: 'no' } as never), 'skipSpecialTokens must be true or false'],
    [() => tokenizer.batchEncode('a' as never), 'texts must be a list of strings, got "a"'],
    [() => tokenizer.batchEncode(['a', null] as never), 'text must be a string, got null'],
  ];
  for (const [call, message] of calls) expect(await failureOf(call)).toContain(`INVALID_ARGUMENT: ${message}`);
});
