import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { type BatchingStatus, Blip2, createBlip2 } from '@blip2/blip2';
import { mustBe, type PrecisionChoice, type RgbImage } from '@blip2/interfaces';
import type { Isolation } from '@blip2/runtime';

import { checkpointFolder } from '../../shapes/checkpoint-folder.ts';
import { resultText } from '../json-program.ts';
import { machine, versions } from '../machine.ts';

/** Captions that are compared are this long, whatever the weights. */
const DEFAULT_TOKENS = 10;
const SIDE = 224;

/** One way to caption the images, in one round. */
interface Way {
  readonly way: 'one by one' | 'one client' | 'clients';
  readonly round: number;
  readonly seconds: number;
  readonly imagesPerSecond: number;
  /** Rows per step of the language model, on average. */
  readonly rowsPerStep?: number;
}

/**
 * `throughput.js [--shape SHAPE | --checkpoint FOLDER] [--dtype P] [--clients N] [--images N] [--rounds N] [--tokens N]
 * [--isolate HOW] [--json FILE]`: captions per second of several clients that share a model (`batching`), next to
 * captions one by one without it, and one client with it. The ways alternate within a run. Also the share of captions
 * whose tokens differ from those of the same image alone: kernels differ by the number of rows at `fast`, `q4` and
 * `small`.
 */
export async function command(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      shape: { type: 'string', default: 'tiny' },
      checkpoint: { type: 'string' },
      dtype: { type: 'string', default: 'fp32' },
      clients: { type: 'string', default: '16' },
      images: { type: 'string', default: '32' },
      rounds: { type: 'string', default: '2' },
      tokens: { type: 'string', default: String(DEFAULT_TOKENS) },
      isolate: { type: 'string', default: 'process' },
      threads: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const [clients, count, rounds, tokens] = (['clients', 'images', 'rounds', 'tokens'] as const).map((name) => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < 1) throw mustBe(`--${name}`, 'a positive integer', values[name]);
    return number;
  }) as [number, number, number, number];
  const folder = checkpointFolder(values.shape, values.checkpoint);
  const loaded = await Blip2.fromPretrained(folder, {
    dtype: values.dtype as PrecisionChoice,
    isolate: values.isolate as Isolation,
    ...(values.threads !== undefined && { threads: Number(values.threads) }),
  });
  const { vision, qformer, projection, language } = loaded.pipeline;
  const parts = { vision, qformer, projection, language, processor: loaded.processor };
  const alone = createBlip2(parts);
  const shared = createBlip2(parts, { batching: { maxRows: clients, imageCacheBytes: 0 } });
  const images = Array.from({ length: count }, (_, index) => noise(index));
  const options = { maxNewTokens: tokens, minNewTokens: tokens };
  const caption = async (tasks: Blip2, image: RgbImage): Promise<readonly number[]> =>
    (await tasks.caption(image, options)).tokenIds;
  const oneByOne = async (tasks: Blip2): Promise<(readonly number[])[]> => {
    const ids = [];
    for (const image of images) ids.push(await caption(tasks, image));
    return ids;
  };
  const byClients = async (): Promise<(readonly number[])[]> => {
    const ids: (readonly number[])[] = [];
    let next = 0;
    const client = async (): Promise<void> => {
      for (let index = next++; index < images.length; index = next++) {
        const image = images[index];
        if (image) ids[index] = await caption(shared, image);
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    return ids;
  };
  // Opens the sessions, also those of many rows.
  for (const image of images.slice(0, 2)) await caption(alone, image);
  await Promise.all(images.slice(0, clients).map((image) => caption(shared, image)));

  const ways: Way[] = [];
  let different = 0;
  for (let round = 1; round <= rounds; round++) {
    const measure = async (
      way: Way['way'],
      run: () => Promise<(readonly number[])[]>,
    ): Promise<(readonly number[])[]> => {
      const before = stepsOf(shared.batching);
      const begin = performance.now();
      const ids = await run();
      const seconds = (performance.now() - begin) / 1000;
      const after = stepsOf(shared.batching);
      const rows = (after.rowSteps - before.rowSteps) / (after.steps - before.steps);
      ways.push({
        way,
        round,
        seconds: rounded(seconds),
        imagesPerSecond: rounded(count / seconds),
        ...(way !== 'one by one' && { rowsPerStep: rounded(rows) }),
      });
      console.log(JSON.stringify(ways.at(-1)));
      return ids;
    };
    const expected = await measure('one by one', () => oneByOne(alone));
    await measure('one client', () => oneByOne(shared));
    const together = await measure('clients', byClients);
    different += together.filter((ids, index) => ids.join() !== expected[index]?.join()).length;
  }
  const rate = (way: Way['way']): number =>
    median(ways.filter((each) => each.way === way).map((each) => each.imagesPerSecond));
  const result = {
    command: `node tools/benchmarks/bin/throughput.js ${args.join(' ')}`,
    ...machine(),
    ...versions(),
    shape: values.shape,
    dtype: values.dtype,
    isolate: values.isolate,
    clients,
    images: count,
    rounds,
    tokens,
    ways,
    ratio: rounded(rate('clients') / rate('one by one')),
    ratioOfOneClient: rounded(rate('one client') / rate('one by one')),
    shareOfDifferentCaptions: rounded(different / (count * rounds)),
  };
  const { ratio, ratioOfOneClient, shareOfDifferentCaptions } = result;
  console.log(JSON.stringify({ ratio, ratioOfOneClient, shareOfDifferentCaptions }));
  if (values.json !== undefined) writeFileSync(values.json, resultText(result));
  await loaded.dispose();
}

function stepsOf(status: BatchingStatus | undefined): { readonly steps: number; readonly rowSteps: number } {
  return { steps: status?.decoding.steps ?? 0, rowSteps: status?.decoding.rowSteps ?? 0 };
}

/** An image that differs from all others. */
function noise(seed: number): RgbImage {
  let state = seed * 2_654_435_761 + 1;
  const data = Uint8Array.from({ length: 3 * SIDE * SIDE }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
  return { type: 'uint8', dims: [SIDE, SIDE, 3], data };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
