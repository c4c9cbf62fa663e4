import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { SessionFactory } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2 } from '../tasks/blip2.ts';
import type { LoadOptions } from './load-options.ts';

const apps = fileURLToPath(new URL('../../../../apps/cli/', import.meta.url));
const evaluation = join(apps, 'evaluation');
const demo = (kind: 'opt' | 't5'): string => join(apps, 'models', `blip2-${kind}-shapes`);

let convertedDir = '';
beforeAll(async () => {
  convertedDir = await mkdtemp(join(tmpdir(), 'blip2-precisions-'));
});
afterAll(() => rm(convertedDir, { recursive: true, force: true }));

/** Number of evaluation scenes; `tools/benchmarks/bin/quality.js` runs all of them. */
const SCENES = 24;

interface Recorded {
  readonly ids: readonly number[];
}
interface Scene {
  readonly image: string;
  readonly caption: string;
  readonly questions: readonly { readonly question: string; readonly answer: string }[];
}
type Expected = Readonly<Record<'opt' | 't5', { readonly caption: Recorded; readonly questions: readonly Recorded[] }>>;

async function lines<T>(file: string): Promise<T[]> {
  return (await readFile(join(evaluation, file), 'utf8'))
    .trim()
    .split('\n')
    .slice(0, SCENES)
    .map((line) => JSON.parse(line) as T);
}

interface Agreement {
  /** Counts over captions and answers: correct ones, and those with exactly the tokens of float32. */
  readonly right: number;
  readonly same: number;
  readonly total: number;
}

async function agreement(kind: 'opt' | 't5', options: LoadOptions): Promise<Agreement> {
  const [scenes, expected] = [await lines<Scene>('scenes.jsonl'), await lines<Expected>('expected.jsonl')];
  await using blip2 = await Blip2.fromPretrained(demo(kind), { convertedDir, threads: 1, ...options });
  const images = scenes.map(({ image }) => join(evaluation, image));
  const rows = scenes.flatMap(({ questions }, scene) =>
    questions.map(({ question }) => ({ question, image: images[scene] ?? '' })),
  );
  const captions = await blip2.caption(images, { maxNewTokens: 32 });
  const answers = await blip2.answer(
    rows.map(({ image }) => image),
    rows.map(({ question }) => question),
    { maxNewTokens: 32 },
  );
  const results = [...captions, ...answers];
  const truth = [
    ...scenes.map(({ caption }) => caption),
    ...scenes.flatMap(({ questions }) => questions.map(({ answer }) => answer)),
  ];
  const recorded = [...expected.map((line) => line[kind].caption), ...expected.flatMap((line) => line[kind].questions)];
  return {
    right: results.filter(({ text }, i) => text === truth[i]).length,
    same: results.filter(({ tokenIds }, i) => JSON.stringify(tokenIds) === JSON.stringify(recorded[i]?.ids)).length,
    total: results.length,
  };
}

describe.each(['opt', 't5'] as const)('the demo checkpoint with %s', (kind) => {
  test.each(['int8', 'q8', 'fast', 'q4', 'small'] as const)(
    'generates the same at %s as in float32, with few exceptions',
    async (dtype) => {
      const reference = await agreement(kind, { dtype: 'fp32' });
      const { right, same, total } = await agreement(kind, { dtype });
      expect(reference.same).toBe(total);
      // One point of accuracy; two for 4 bits, whose errors are ten times as large.
      const tolerated = (dtype === 'q4' || dtype === 'small' ? 0.02 : 0.01) * total;
      expect(reference.right - right).toBeLessThanOrEqual(tolerated);
      expect(total - same).toBeLessThanOrEqual(2 * tolerated);
    },
  );
});

describe('the loaded graphs', () => {
  /** The loaded graphs and the types of their matrix products. */
  async function graphs(dtype: LoadOptions['dtype']): Promise<Map<string, Set<string>>> {
    const graphKinds = new Map<string, Set<string>>();
    const spy: SessionFactory = (model, options) => {
      const text = Buffer.from(model.serialize()).toString('latin1');
      const kinds = ['FusedMatMul', 'MatMulIntegerToFloat', 'MatMulNBits'].filter((kind) => text.includes(kind));
      graphKinds.set(`${model.name} ${graphKinds.has(`${model.name} once`) ? 'again' : 'once'}`, new Set(kinds));
      return createSession(model, options);
    };
    await using blip2 = await Blip2.fromPretrained(demo('opt'), {
      convertedDir,
      threads: 1,
      createSession: spy,
      ...(dtype && { dtype }),
    });
    await blip2.caption(join(evaluation, 'images/000.png'), { maxNewTokens: 4 });
    return graphKinds;
  }

  test('at fast: 8 bits for images and prefill, 4 bits for decoding', async () => {
    const graphKinds = await graphs('fast');
    expect(graphKinds.get('vision_model once')).toEqual(new Set(['MatMulIntegerToFloat']));
    expect(graphKinds.get('qformer once')).toEqual(new Set(['MatMulIntegerToFloat']));
    expect(graphKinds.get('opt_decoder once')).toEqual(new Set(['MatMulIntegerToFloat']));
    expect(graphKinds.get('opt_decoder again')).toEqual(new Set(['MatMulNBits']));
    expect(graphKinds.get('language_projection once')).toEqual(new Set(['FusedMatMul']));
  });

  test('per part: the others stay float32 and are not converted', async () => {
    const graphKinds = await graphs({ language: 'q4' });
    expect(graphKinds.get('vision_model once')).toEqual(new Set(['FusedMatMul']));
    expect(graphKinds.get('opt_decoder once')).toEqual(new Set(['MatMulNBits']));
    expect(graphKinds.has('opt_decoder again')).toBe(false);
  });

  test('in a worker, with progress reported here, and from the cache the second time', async () => {
    const own = join(convertedDir, 'worker');
    const load = async (): Promise<string[]> => {
      const stages: string[] = [];
      await using blip2 = await Blip2.fromPretrained(demo('opt'), {
        convertedDir: own,
        threads: 1,
        isolate: 'worker',
        dtype: 'small',
        onProgress: ({ stage }) => stages.push(stage),
      });
      expect((await blip2.caption(join(evaluation, 'images/001.png'), { maxNewTokens: 8 })).text).toBe(
        'a large orange circle',
      );
      return stages;
    };
    expect(new Set(await load())).toEqual(new Set(['convert']));
    expect(await load()).toEqual([]);
    expect(await readdir(join(own, 'weights'))).toHaveLength(3);
  });
});

describe('refused options', () => {
  const load = (options: object): Promise<Blip2> => Blip2.fromPretrained(demo('opt'), options);

  test.each([
    [{ dtype: 'fp16' }, 'UNSUPPORTED_DTYPE', /fast/],
    [{ dtype: 'bfloat16' }, 'UNSUPPORTED_DTYPE', /load as they are/],
    [{ dtype: '8bit' }, 'UNSUPPORTED_DTYPE', /int8/],
    [{ dtype: { language: 'q3' } }, 'UNSUPPORTED_DTYPE', /dtype\.language.*q4/],
    [{ dtype: { text: 'q4' } }, 'UNSUPPORTED_DTYPE', /vision, qformer, language.*text/],
    [{ loadIn8bit: true }, 'UNKNOWN_OPTION', /loadIn8bit.*int8/],
    [{ loadIn4bit: true }, 'UNKNOWN_OPTION', /q4/],
  ] as const)('%o', async (options, code, words) => {
    await expect(load(options)).rejects.toThrow(
      expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string }),
    );
  });
});
