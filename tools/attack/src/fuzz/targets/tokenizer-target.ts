import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Tokenizer } from '@blip2/processor';
import fc, { type Arbitrary } from 'fast-check';

import { BrokenPromise } from '../broken-promise.ts';
import { damagedBytes, damagedJson } from '../damage.ts';
import { defineTarget, type Target } from '../target.ts';
import { inTemporaryFolder } from '../temporary-folder.ts';
import { goldenFiles, goldenJson } from './golden-checkpoints.ts';

interface Case {
  readonly file: Uint8Array;
  readonly text: string;
}

const text: Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom(
    '',
    ' ',
    'a photo of <image>',
    '</s><pad>[CLS]',
    '\ud800',
    'a'.repeat(500),
    'Question: what? Answer:',
  ),
);

/** `tokenizer.json`: ids of an accepted file are non-negative integers, and decoding them gives a text. */
export const tokenizerTarget: Target<unknown> = defineTarget<Case>({
  name: 'tokenizer',
  promise: 'A tokenizer file is refused with a code, or encodes every text to ids that it can decode.',
  open: () =>
    inTemporaryFolder((folder) => {
      const file: Arbitrary<Uint8Array> = fc.oneof(
        {
          weight: 4,
          arbitrary: damagedJson(goldenJson('tokenizer.json')).map((json) => Buffer.from(JSON.stringify(json))),
        },
        { weight: 1, arbitrary: damagedBytes(goldenFiles('tokenizer.json').map((json) => Buffer.from(json))) },
      );
      return {
        cases: fc.record({ file, text }),
        run: async ({ file, text }) => {
          await writeFile(join(folder, 'tokenizer.json'), file);
          const tokenizer = await Tokenizer.fromPretrained(folder);
          const ids = [...tokenizer.encode(text)];
          if (!ids.every((id) => Number.isSafeInteger(id) && id >= 0)) throw new BrokenPromise(`ids ${ids.join()}`);
          if (typeof tokenizer.decode(ids) !== 'string') throw new BrokenPromise('decoding gives no text');
        },
      };
    }),
});
