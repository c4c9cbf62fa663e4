import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { decodeImage } from '@blip2/processor';
import { describe, expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { repository } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { demoModelFolder } from '../model/demo-model.ts';
import { loadModel } from '../model/load-model.ts';
import type { TaskModel } from '../model/model-port.ts';
import { importModule, moduleRecord } from './import-module.ts';

const { signal } = new AbortController();
async function load(code: string): Promise<TaskModel> {
  const at = await temporaryFolder({ 'mine.mjs': code });
  return loadModel(demoModelFolder, { signal, localFilesOnly: true, threads: 1, module: at('mine.mjs') });
}
const image = (): ReturnType<typeof decodeImage> => decodeImage(join(repository, 'examples/left-of.png'));
const generation = { maxNewTokens: 12 };
/** Members of a vision encoder, for the modules below. */
const PART_MEMBERS = `
  const SIZES = { imageSize: 64, hiddenSize: 128 };
  const METHODS = { encode() {}, async [Symbol.asyncDispose]() {} };
`;

describe('a module', () => {
  test('replaces a part of the checkpoint, which is disposed of with the model', async () => {
    const model = await load(`
      let disposals = 0;
      export default {
        async parts({ parts }) {
          const vision = await parts.vision();
          const { imageSize, hiddenSize } = vision;
          const encode = async (pixels) => {
            const { dims, data, type } = await vision.encode(pixels);
            return { type, dims, data: data.map(() => 0) };
          };
          const dispose = async () => { globalThis.blip2Disposals = ++disposals; };
          return { vision: { imageSize, hiddenSize, encode, [Symbol.asyncDispose]: dispose } };
        },
      };`);
    const [result] = await model.caption([await image()], { generation, signal });
    expect(result?.text).not.toContain('a blue triangle');
    await model[Symbol.asyncDispose]();
    expect(Reflect.get(globalThis, 'blip2Disposals')).toBe(1);
  });

  test('processes logits, stops generation and formats questions', async () => {
    await using model = await load(`
      export default {
        logitsProcessors: ({ processor: { tokenizer } }) => {
          const [blue] = tokenizer.encode(' blue', { addSpecialTokens: false });
          return [(ids, logits) => { logits[blue] = -Infinity; }];
        },
        stoppingCriteria: () => [(ids) => ids.length >= 2],
        questionTemplate: () => 'Question: what shape is on the left? Answer:',
        chatTemplate: (history, question) => 'Question: how many objects are there? Answer:',
      };`);
    const opened = await image();
    const [caption] = await model.caption([opened], { generation, signal });
    expect([caption?.text.includes('blue'), caption?.tokenIds.length]).toEqual([false, 2]);
    const [[answer] = []] = await model.ask([{ image: opened, questions: ['what color is it?'] }], {
      generation,
      rawPrompt: false,
      signal,
    });
    expect(answer?.text).toBe('triangle');
    const [[ranked] = []] = await model.rank(
      [{ image: opened, questions: ['what color is it?'] }],
      ['triangle', 'green'],
      { rawPrompt: false, perToken: false, signal },
    );
    expect(ranked?.[0]?.text).toBe('triangle');
    await using chat = await model.chat(opened, { generation, signal });
    expect((await chat.ask('what color is it?', { signal })).text).toBe('two');
  });

  test.each([
    ['no default export', 'export const parts = () => ({});', 'INVALID_ARGUMENT', 'default export'],
    ['an unknown export', 'export default { part: () => ({}) };', 'INVALID_ARGUMENT', 'Did you mean parts?'],
    ['a member that is not a function', 'export default { parts: {} };', 'INVALID_ARGUMENT', 'must be a function'],
    ['an error', 'throw new RangeError("too far");', 'INVALID_ARGUMENT', 'too far'],
    ['a syntax error', 'export default {', 'INVALID_ARGUMENT', 'cannot be loaded'],
    ['no parts', 'export default { parts: () => undefined };', undefined, ''],
    [
      'parts that are not an object',
      'export default { parts: () => "none" };',
      'INVALID_ARGUMENT',
      'must be an object',
    ],
    ['an unknown part', 'export default { parts: () => ({ eye: {} }) };', 'INVALID_ARGUMENT', 'A part name must be'],
    [
      'an incomplete part',
      'export default { parts: () => ({ vision: { ...SIZES, async [Symbol.asyncDispose]() {} } }) };',
      'INVALID_ARGUMENT',
      'encode: function',
    ],
    [
      'a part that cannot be disposed of',
      'export default { parts: () => ({ vision: { ...SIZES, encode() {} } }) };',
      'INVALID_ARGUMENT',
      'disposed',
    ],
    [
      'another width',
      'export default { parts: () => ({ vision: { ...SIZES, ...METHODS, hiddenSize: 7 } }) };',
      'SHAPE_MISMATCH',
      'vision.hiddenSize is 7',
    ],
  ])('with %s is loaded or rejected', async (_what, code, expected, words) => {
    const loading = load(PART_MEMBERS + code);
    if (expected === undefined) return void (await (await loading)[Symbol.asyncDispose]());
    await expect(loading).rejects.toMatchObject({ code: expected, message: expect.stringContaining(words) as string });
  });

  test('that does not exist, or is a folder, is rejected', async () => {
    const at = await temporaryFolder({});
    for (const file of [at('none.mjs'), at()]) {
      await expect(importModule(file)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await expect(moduleRecord(file)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });
});

describe('--module', () => {
  test('is passed to the model by every command that supports parts; others reject it', async () => {
    const at = await temporaryFolder({ a: 'a', 'mine.mjs': '' });
    for (const argv of [
      ['caption', at('a')],
      ['ask', at('a'), '-q', 'what?'],
      ['rank', at('a'), '-q', 'what?', '-c', 'x'],
      ['chat', at('a')],
      ['match', at('a'), '-t', 'x'],
      ['embed', at('a'), '--json'],
      ['embed', '-t', 'x', '--json'],
    ]) {
      const { calls } = await runFake([...argv, '--module', at('mine.mjs')]);
      expect(
        calls.find(({ name }) => name === 'load'),
        argv[0],
      ).toMatchObject({ settings: { module: at('mine.mjs') } });
    }
    expect((await runFake(['heatmap', at('a'), '-o', at('a.png'), '--module', at('mine.mjs')])).exitCode).toBe(2);
    expect((await runFake(['caption', at('a'), '--module', at('none.mjs')])).exitCode).toBe(2);
  });

  test('is part of the record of a run of texts', async () => {
    const at = await temporaryFolder({ 'mine.mjs': 'export default {};' });
    const argv = ['embed', '-t', 'x', '-o', at('out.jsonl'), '--module', at('mine.mjs')];
    expect((await runFake(argv)).exitCode).toBe(0);
    await writeFile(at('mine.mjs'), 'export default { };');
    expect(await runFake(argv)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('moduleSha256') });
  });

  test('is part of the record of a run: with other content it is another run', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'b', 'mine.mjs': 'export default {};' });
    const argv = ['caption', at('a'), at('b'), '-o', at('out.jsonl'), '--module', at('mine.mjs')];
    expect((await runFake(argv)).exitCode).toBe(0);
    expect((await runFake(argv)).exitCode).toBe(0);
    await writeFile(at('mine.mjs'), 'export default { };');
    const changed = await runFake(argv);
    expect([changed.exitCode, changed.stderr.includes('moduleSha256')]).toEqual([2, true]);
  });
});
