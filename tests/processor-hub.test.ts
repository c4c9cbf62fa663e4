/**
 * Processors and tokenizers by hub id, from a local hub server: the same token ids as from the folder, and no download
 * of
 * weights.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Blip2Processor, BlipImageProcessor, InstructBlipProcessor, Tokenizer } from '@blip2/processor';
import { type HubServer, startHubServer } from '@blip2/testing';
import { Blip2VisionModel } from '@blip2/vision';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { folderRepository, hubVariables } from './demo-hub.ts';
import { root } from './documents.ts';

const [opt, instructed] = [
  join(root, 'apps/cli/models/blip2-opt-shapes'),
  join(root, 'tools/parity/cases/instructblip-llama/checkpoint'),
];
const [optId, instructedId, slowId] = ['someone/blip2-opt', 'someone/instructblip', 'someone/slow-tokenizer'];
const image = join(root, 'examples/left-of.png');
const texts = ['a photo of', 'Question: is the circle yellow? Answer:', '<image>é </s>'];

async function hub(): Promise<HubServer> {
  const [optRepository, instructedRepository] = await Promise.all([
    folderRepository(opt),
    folderRepository(instructed),
  ]);
  const slow = Object.fromEntries(Object.entries(optRepository.files).filter(([path]) => path !== 'tokenizer.json'));
  const server = await startHubServer({
    repositories: { [optId]: optRepository, [instructedId]: instructedRepository, [slowId]: { files: slow } },
  });
  onTestFinished(() => server.close());
  const folder = await mkdtemp(join(tmpdir(), 'blip2-processor-hub-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, value] of Object.entries(hubVariables(server, folder))) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  return server;
}

const asksForWeights = ({ requests }: HubServer): boolean => requests.some(({ path }) => /safetensors/.test(path));

test('Blip2Processor: the same as from the folder, then the model, then both offline', async () => {
  const server = await hub();
  const expected = await (
    await Blip2Processor.fromPretrained(opt)
  ).process({ images: [image, image, image], text: texts }, { padding: true });
  const load = async (options = {}): Promise<unknown> =>
    (await Blip2Processor.fromPretrained(optId, options)).process(
      { images: [image, image, image], text: texts },
      { padding: true },
    );
  expect(await load()).toEqual(expected);
  // One request for the branch, one for its files, and one per file.
  expect(server.requests.map(({ path }) => path.split('/').at(-1)?.split('?')[0])).toEqual(
    expect.arrayContaining(['main', 'tokenizer.json', 'preprocessor_config.json', 'processor_config.json']),
  );
  expect(new Set(server.requests.map(({ path }) => path)).size).toBe(server.requests.length);
  expect(asksForWeights(server)).toBe(false);
  await expect(Blip2VisionModel.fromPretrained(optId, { localFilesOnly: true })).rejects.toMatchObject({
    code: 'OFFLINE',
  });
  await (await Blip2VisionModel.fromPretrained(optId)).dispose();
  expect(asksForWeights(server)).toBe(true);
  const asked = server.requests.length;
  expect(await load({ localFilesOnly: true })).toEqual(expected);
  await (await Blip2VisionModel.fromPretrained(optId, { localFilesOnly: true })).dispose();
  expect(server.requests.length).toBe(asked);
});

test('InstructBlipProcessor: includes the second tokenizer', async () => {
  const server = await hub();
  const [here, there] = await Promise.all(
    [instructed, instructedId].map((source) => InstructBlipProcessor.fromPretrained(source)),
  );
  const processed = await there?.process({ text: texts });
  expect(processed?.qformerInputIds?.flat().length).toBeGreaterThan(10);
  expect(processed).toEqual(await here?.process({ text: texts }));
  expect(asksForWeights(server)).toBe(false);
});

test('Tokenizer, also from a subfolder, and BlipImageProcessor', async () => {
  const server = await hub();
  const encode = async (source: string, options = {}): Promise<unknown> =>
    (await Tokenizer.fromPretrained(source, options)).batchEncode(texts);
  expect(await encode(optId, { extraSpecialTokens: ['<image>'] })).toEqual(
    await encode(opt, { extraSpecialTokens: ['<image>'] }),
  );
  expect(await encode(instructedId, { subfolder: 'qformer_tokenizer' })).toEqual(
    await encode(instructed, { subfolder: 'qformer_tokenizer' }),
  );
  expect((await BlipImageProcessor.fromPretrained(optId, { localFilesOnly: true })).settings).toEqual(
    (await BlipImageProcessor.fromPretrained(opt)).settings,
  );
  expect(asksForWeights(server)).toBe(false);
});

describe.each([
  ['Blip2Processor', Blip2Processor],
  ['InstructBlipProcessor', InstructBlipProcessor],
  ['BlipImageProcessor', BlipImageProcessor],
  ['Tokenizer', Tokenizer],
])('%s', (_, { fromPretrained }) => {
  test('reports the problem', async () => {
    await hub();
    await expect(fromPretrained('nobody/nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(fromPretrained(optId, { revision: 'other' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(fromPretrained(optId, { localFilesOnly: true })).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining(optId),
    });
    await expect(fromPretrained(join(root, 'nowhere/model'))).rejects.toMatchObject({ code: 'MISSING_FILE' });
  });

  test('stops when it is aborted', async () => {
    const server = await hub();
    server.options = { ...server.options, pace: { bytes: 100, pause: 20 } };
    const controller = new AbortController();
    const reason = new Error('enough');
    const onProgress = ({ loaded, total }: { loaded: number; total: number }): void => {
      if (loaded < total) controller.abort(reason);
    };
    await expect(fromPretrained(optId, { signal: controller.signal, onProgress })).rejects.toBe(reason);
  });
});

test('a repository without tokenizer.json: the error names it, and what to do', async () => {
  await hub();
  for (const { fromPretrained } of [Tokenizer, Blip2Processor])
    await expect(fromPretrained(slowId)).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining('save_pretrained'),
    });
  await expect(Tokenizer.fromPretrained(slowId)).rejects.toMatchObject({ details: { where: slowId } });
  expect((await BlipImageProcessor.fromPretrained(slowId)).settings).toEqual(
    (await BlipImageProcessor.fromPretrained(opt)).settings,
  );
});
