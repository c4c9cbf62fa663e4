import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import { Blip2 } from './blip2.ts';
import { InstructBlip } from './instructblip.ts';

const root = join(import.meta.dirname, '../../../..');
const image = join(root, 'examples/left-of.png');
/** Beyond the vocabulary of every model used here. */
const SHIFT = 100_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-known-tokens-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of a checkpoint whose tokenizer yields ids beyond the vocabulary for all but the special tokens. */
async function shifted(checkpoint: string, tokenizer = 'tokenizer.json'): Promise<string> {
  const copy = await mkdtemp(join(folder, 'model-'));
  await cp(join(root, checkpoint), copy, { recursive: true });
  const json = JSON.parse(await readFile(join(copy, tokenizer), 'utf8')) as {
    model: { vocab: Record<string, number> };
    added_tokens: { content: string }[];
  };
  const special = new Set(json.added_tokens.map(({ content }) => content));
  json.model.vocab = Object.fromEntries(
    Object.entries(json.model.vocab).map(([token, id]) => [token, special.has(token) ? id : id + SHIFT]),
  );
  await writeFile(join(copy, tokenizer), JSON.stringify(json));
  return copy;
}

const refusal = (largest: number): unknown =>
  expect.objectContaining({
    code: 'INVALID_TOKENIZER',
    message: expect.stringMatching(new RegExp(`expected 0 to ${largest}, got 100\\d{3}\\. Take tokenizer and model`)),
  });

test('a tokenizer beyond the vocabulary of the language model is reported, not the texts', async () => {
  await using blip2 = await Blip2.fromPretrained(await shifted('apps/cli/models/blip2-opt-shapes'));
  const options = { maxNewTokens: 2 };
  await expect(blip2.answer(image, 'what?', options)).rejects.toEqual(refusal(447));
  await expect(blip2.caption(image, { ...options, prompt: 'a' })).rejects.toEqual(refusal(447));
  await expect(blip2.rank(image, 'what?', ['yellow', 'blue'])).rejects.toEqual(refusal(447));
  await using chat = await blip2.chat(image);
  await expect(chat.ask('what?', options)).rejects.toEqual(refusal(447));
  // The start token and the generated tokens are ids of the model itself.
  expect((await blip2.caption(image, options)).tokenIds.length).toBeGreaterThan(0);
});

test('a tokenizer beyond the vocabulary of the Q-Former is reported', async () => {
  await using retrieval = await Blip2Retrieval.fromPretrained(await shifted('apps/cli/models/blip2-itm-shapes'));
  await expect(retrieval.match([image], ['yellow'])).rejects.toEqual(refusal(282));
  await expect(retrieval.embed({ text: ['yellow'] })).rejects.toEqual(refusal(282));
});

test('a second tokenizer beyond the vocabulary of the Q-Former of InstructBLIP is reported', async () => {
  await using blip2 = await InstructBlip.fromPretrained(
    await shifted('tools/parity/cases/instructblip-llama/checkpoint', 'qformer_tokenizer/tokenizer.json'),
  );
  await expect(blip2.answer(image, 'what?', { maxNewTokens: 2 })).rejects.toMatchObject({
    code: 'INVALID_TOKENIZER',
    details: { got: expect.stringMatching(/^100\d{3}$/) },
  });
});
