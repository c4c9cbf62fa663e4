import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { endPartWorkers } from '@blip2/runtime';
import { afterAll, describe, expect, test } from 'vitest';

import { partProcesses } from '../fixtures/part-processes.ts';
import { Blip2Model } from '../models/blip2-model.ts';
import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import { Blip2 } from '../tasks/blip2.ts';
import { openCheckpointParts } from './checkpoint-parts.ts';
import type { LoadOptions } from './load-options.ts';

const root = join(import.meta.dirname, '../../../..');
const models = join(root, 'apps/cli/models');
const [model, retrieval] = [join(models, 'blip2-opt-shapes'), join(models, 'blip2-itm-shapes')];
const image = join(root, 'examples/left-of.png');
const loader = join(root, 'tools/testing/test-loader.mjs');
const temporary = await mkdtemp(join(tmpdir(), 'blip2-isolation-'));
afterAll(() => rm(temporary, { recursive: true }));

type Isolate = NonNullable<LoadOptions['isolate']>;

async function resultsOf(isolate: Isolate): Promise<unknown> {
  const options = { threads: 1, isolate };
  await using blip2 = await Blip2.fromPretrained(model, options);
  await using whole = await Blip2Model.fromPretrained(model, options);
  await using matcher = await Blip2Retrieval.fromPretrained(retrieval, options);
  await using conversation = await blip2.chat(image);
  const { tokenIds, score } = await blip2.caption(image);
  const turns = [await conversation.ask('what color is the triangle?'), await conversation.ask('where is it?')];
  const { pixelValues } = await blip2.processor.process({ images: [image] });
  const { logits, visionOutputs } = await whole.forward({ pixelValues }, { outputHiddenStates: true });
  return {
    caption: { tokenIds, score },
    turns: turns.map((turn) => [turn.tokenIds, turn.score]),
    beams: (await blip2.caption([image, image], { numBeams: 2 })).map((result) => [result.tokenIds, result.score]),
    ranked: await blip2.rank(image, 'what is it?', ['a star', 'a triangle']),
    logits,
    hiddenStates: visionOutputs?.hiddenStates,
    embeddings: await matcher.embed({ images: [image], text: ['a triangle'] }),
  };
}

describe('isolation', () => {
  test('does not change a bit of any result', async () => {
    const inline = await resultsOf('inline');
    expect(await resultsOf('worker')).toStrictEqual(inline);
    expect(await resultsOf('process')).toStrictEqual(inline);
  });

  test('must be known', async () => {
    const isolate = 'thread' as Isolate;
    await expect(openCheckpointParts(model, { isolate })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'isolate', expected: 'one of inline, worker, process', got: '"thread"' },
    });
  });
});

test.runIf(process.platform === 'linux')(
  'weights that are cut off while they are mapped end the calls in progress, not the program',
  async () => {
    const folder = join(temporary, 'cut');
    await cp(model, folder, { recursive: true });
    const weights = (await readdir(folder)).find((name) => name.endsWith('.safetensors')) ?? '';
    const file = join(folder, weights);
    const bytes = await readFile(file);
    const modified = new Date('2026-01-01');
    await utimes(file, modified, modified);
    await using blip2 = await Blip2.fromPretrained(folder, { threads: 1, isolate: 'process' });
    const { text } = await blip2.caption(image);
    await truncate(file, 0);
    await expect(blip2.caption(image)).rejects.toMatchObject({
      code: 'WORKER_FAILED',
      details: { subject: 'SIGBUS' },
    });
    await writeFile(file, bytes);
    // Weights that may be others are not mixed with parts that were loaded before.
    await expect(blip2.caption(image)).rejects.toMatchObject({ code: 'MODEL_CHANGED' });
    await utimes(file, modified, modified);
    expect((await blip2.caption(image)).text).toBe(text);
  },
);

test.runIf(process.platform === 'linux')(
  'encoded images and conversations survive the end of their processes',
  async () => {
    const question = 'what color is the triangle?';
    await using blip2 = await Blip2.fromPretrained(model, { threads: 1, isolate: 'process' });
    await using kept = await blip2.encode(image);
    await using conversation = await blip2.chat(kept);
    await using expected = await blip2.chat(image);
    const asked = [question, 'where is it?', question];
    const answers: string[] = [];
    for (const text of asked) answers.push((await expected.ask(text)).text);
    const { tokenIds } = await blip2.answer(kept, question);
    for (const [index, text] of asked.entries()) {
      expect((await conversation.ask(text)).text).toBe(answers[index]);
      const pids = partProcesses();
      expect(pids.length).toBeGreaterThanOrEqual(1);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      while (partProcesses().some((pid) => pids.includes(pid))) await sleep(10);
      expect((await blip2.answer(kept, question)).tokenIds).toEqual(tokenIds);
    }
  },
);

/** Whether parts are being started: a child process, or a thread with its port. */
function workers(isolate: 'worker' | 'process'): number {
  if (isolate === 'process') return partProcesses().length;
  return process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
}

describe.runIf(process.platform === 'linux').each(['worker', 'process'] as const)(
  'an abort while a model is loaded in a %s',
  (isolate) => {
    test.each([0, 50])('rejects %i ms after the workers were started, before they have ended', async (delay) => {
      const controller = new AbortController();
      const reason = new Error('enough');
      const before = workers(isolate);
      const loading = Blip2.fromPretrained(model, { threads: 1, isolate, signal: controller.signal });
      const outcome = loading.then(
        (loaded) => loaded.dispose(),
        (error: unknown) => error,
      );
      while (workers(isolate) === before) await new Promise(setImmediate);
      await sleep(delay);
      controller.abort(reason);
      const result = await outcome;
      // On a fast machine the model has been loaded before.
      if (result === undefined) return;
      expect(result).toBe(reason);
      let hasEnded = false;
      const ending = endPartWorkers().then(() => (hasEnded = true));
      await new Promise(setImmediate);
      expect(hasEnded).toBe(false);
      await ending;
    });
  },
);

test('a program that is passed to node with -e can use workers and convert weights', async () => {
  // 25 MB of weights: more than is converted on the calling thread.
  const program = `
    import { Blip2VisionConfig } from '@blip2/config';
    import { createPartHost } from '@blip2/runtime';
    import { Blip2VisionModel } from '@blip2/vision';
    const sizes = { hiddenSize: 512, intermediateSize: 2048, numHiddenLayers: 2, numAttentionHeads: 4, imageSize: 28 };
    const vision = await Blip2VisionModel.fromConfig(Blip2VisionConfig.create(sizes), { dtype: 'int8', threads: 1 });
    await vision.dispose();
    for (const isolate of ['worker', 'process']) {
      const host = createPartHost({ isolate });
      const module = 'data:text/javascript,export const create = () => ({ isolate: () => process.argv0 });';
      const part = await host.create({ module, export: 'create' });
      console.log(await part.isolate());
      await host[Symbol.asyncDispose]();
    }`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', loader, '--input-type=module', '-e', program],
    { cwd: root, env: { ...process.env, TMPDIR: temporary } },
  );
  expect(stdout.trim().split('\n').length).toBe(2);
});

test.each(['inline', 'worker', 'process'])(
  'in a thread of the caller, %s parts work and onnxruntime leaves no files',
  async (isolate) => {
    const home = join(temporary, isolate);
    const env: NodeJS.ProcessEnv = { ...process.env, HOME: home, TMPDIR: home, XDG_CACHE_HOME: home };
    delete env['ORT_DISABLE_TELEMETRY'];
    await cp(join(root, 'examples/left-of.png'), join(home, 'image.png'));
    const fixture = fileURLToPath(new URL('fixtures/caption-in-thread.mjs', import.meta.url));
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--import', loader, fixture, isolate, model, image],
      { env },
    );
    expect([stdout, stderr]).toEqual(['a blue triangle to the left of a small yellow circle 1x65x128', '']);
    expect(await readdir(home)).toEqual(['image.png']);
  },
);
