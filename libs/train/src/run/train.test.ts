import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2 } from '@blip2/blip2';
import { openCheckpoint, readTensor } from '@blip2/checkpoint';
import { describe, expect, test } from 'vitest';

import type { ValidationReport } from '../validation/validation-report.ts';
import { demo, pairsFile, recorded, shapeLines, temporaryFolder } from './fixtures/shape-pairs.ts';
import { readState } from './state-slots.ts';
import type { StepReport } from './step-log.ts';
import { train, type TrainOptions, type TrainResult } from './train.ts';
import type { PreparedRun } from './trainer-port.ts';

const { settings } = recorded;
const SETTINGS = { ...settings, threads: 1 };

interface Trained {
  readonly result: TrainResult;
  readonly reports: readonly StepReport[];
  readonly run: PreparedRun | undefined;
}

/** Trains in a folder with the recorded settings, and collects the steps. */
async function trainIn(folder: string, options: Partial<TrainOptions> = {}): Promise<Trained> {
  const reports: StepReport[] = [];
  let run: PreparedRun | undefined;
  const result = await train({
    pairs: options.pairs ?? (await pairsFile(folder)),
    model: demo,
    output: join(folder, 'out'),
    features: join(folder, 'features'),
    ...SETTINGS,
    ...options,
    onStart: (prepared) => (run = prepared),
    onStep: (report) => {
      reports.push(report);
      options.onStep?.(report);
    },
  });
  return { result, reports, run };
}

async function tensorsOf(folder: string): Promise<ReadonlyMap<string, Float32Array>> {
  const { tensors } = await openCheckpoint(folder);
  const entries = [...tensors].map(async ([name, tensor]) => [name, (await readTensor(tensor)).data] as const);
  return new Map(await Promise.all(entries));
}

describe.each(['projection', 'bridge'] as const)('the %s', (name) => {
  const { losses, norms, train: parts } = recorded.runs[name];

  test('has the losses and gradient norms that PyTorch has in ten steps', async () => {
    const { reports, result } = await trainIn(await temporaryFolder(), { train: parts });
    expect(result).toMatchObject({ status: 'done', step: 10, steps: 10 });
    expect(reports.map(({ step }) => step)).toEqual(losses.map((_, index) => index + 1));
    for (const [index, report] of reports.entries()) {
      expect(Math.abs(report.loss / (losses[index] ?? NaN) - 1), `loss ${index}`).toBeLessThan(1e-5);
      expect(Math.abs(report.norm / (norms[index] ?? NaN) - 1), `norm ${index}`).toBeLessThan(1e-4);
    }
  });
});

describe('a checkpoint', () => {
  test('has every tensor of the model, and only those of the trained part differ', async () => {
    const folder = await temporaryFolder();
    await trainIn(folder, { train: ['projection'], steps: 2 });
    const [before, after] = [await tensorsOf(demo), await tensorsOf(join(folder, 'out'))];
    expect([...after.keys()].toSorted()).toEqual([...before.keys()].toSorted());
    const changed = [...before.keys()].filter(
      (name) => !Buffer.from(bytesOf(before, name)).equals(bytesOf(after, name)),
    );
    expect(changed.toSorted()).toEqual(['language_projection.bias', 'language_projection.weight']);
    const files = await readdir(join(folder, 'out'));
    expect(files).toEqual(expect.arrayContaining(['config.json', 'tokenizer.json', 'preprocessor_config.json']));
  });

  test('learns what it was shown', async () => {
    const folder = await temporaryFolder();
    await trainIn(folder, { reset: ['projection'], train: ['projection'], batchSize: 9, steps: 60 });
    await using blip2 = await Blip2.fromPretrained(join(folder, 'out'), { threads: 1 });
    const images = shapeLines().map((line) => (JSON.parse(line) as { image: string }).image);
    const texts = (await blip2.caption(images)).map(({ text }) => text.trim());
    const right = texts.filter((text, index) => text === recorded.pairs[index]?.caption);
    expect(right.length).toBeGreaterThanOrEqual(7);
  });
});

function bytesOf(tensors: ReadonlyMap<string, Float32Array>, name: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = tensors.get(name) ?? new Float32Array();
  return new Uint8Array(buffer, byteOffset, byteLength);
}

describe('a run that is resumed', () => {
  test('equals the uninterrupted one bit by bit', async () => {
    const [whole, parts] = [await temporaryFolder(), await temporaryFolder()];
    const expected = await trainIn(whole);
    const steps: StepReport[] = [];
    for (const until of [4, 10]) {
      const controller = new AbortController();
      const { result, reports, run } = await trainIn(parts, {
        resume: steps.length > 0,
        signal: controller.signal,
        onStep: ({ step }) => {
          if (step === until) controller.abort();
        },
      });
      expect(run?.done).toBe(steps.length);
      expect(result.status).toBe(until === 10 ? 'done' : 'interrupted');
      steps.push(...reports);
    }
    expect(steps).toEqual(expected.reports);
    const [a, b] = [await tensorsOf(join(whole, 'out')), await tensorsOf(join(parts, 'out'))];
    for (const name of a.keys()) expect(bytesOf(a, name), name).toEqual(bytesOf(b, name));
    const lines = (await readFile(join(parts, 'out/training/log.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as StepReport).step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('must have the settings and the data that it was started with', async () => {
    const folder = await temporaryFolder();
    await trainIn(folder, { steps: 1 });
    for (const [options, argument] of [
      [{ steps: 2 }, 'steps'],
      [{ steps: 1, seed: 8 }, 'seed'],
      [{ steps: 1, threads: 2 }, 'threads'],
      [{ steps: 1, pairs: await pairsFile(await temporaryFolder(), shapeLines().slice(1)) }, 'exampleCount'],
    ] as const)
      await expect(trainIn(folder, { ...options, resume: true })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { argument },
      });
  });

  test('uses the older state if the newer one was not written completely', async () => {
    const folder = await temporaryFolder();
    const { reports } = await trainIn(folder, { saveEvery: 0, train: ['projection'] });
    const training = join(folder, 'out/training');
    // Ten steps after two saves before the first: the last one is in the second slot.
    const newest = join(training, 'state-b/model.safetensors');
    const bytes = await readFile(newest);
    bytes.fill(1, bytes.length - 64);
    await writeFile(newest, bytes);
    const resumed = await trainIn(folder, { resume: true, train: ['projection'] });
    expect(resumed.run?.done).toBe(9);
    expect(resumed.reports).toEqual(reports.slice(9));
  });
});

describe('an output folder that is not empty', () => {
  test('needs resume or restart', async () => {
    const folder = await temporaryFolder();
    const first = await trainIn(folder, { steps: 1 });
    await expect(trainIn(folder, { steps: 1 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'output' },
    });
    const again = await trainIn(folder, { steps: 1, restart: true });
    expect(again.reports).toEqual(first.reports);
    expect([first.run?.encoded, again.run?.encoded]).toEqual([9, 0]);
  });

  test('is not replaced if it is not that of a run', async () => {
    const folder = await temporaryFolder();
    await expect(trainIn(folder, { output: folder, restart: true })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'restart' },
    });
    await expect(trainIn(folder, { resume: true })).rejects.toMatchObject({ details: { argument: 'resume' } });
  });
});

describe('examples that cannot be used', () => {
  const bad = [
    'not json',
    '{"image": "absent.png", "caption": "a star"}',
    JSON.stringify({ image: join(demo, 'config.json'), caption: 'not an image' }),
    JSON.stringify({ image: join(demo, 'config.json'), caption: ' ' }),
    JSON.stringify({ image: join(demo, 'config.json'), question: 'what?', answer: '' }),
    JSON.stringify({ image: join(demo, 'config.json'), caption: 'both', question: 'what?', answer: 'no' }),
  ];

  test('are counted and named before the first step', async () => {
    const folder = await temporaryFolder();
    const pairs = await pairsFile(folder, [...bad, '', ...shapeLines()]);
    const failed = trainIn(folder, { pairs });
    await expect(failed).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(failed).rejects.toThrow(/^5 of 15 examples cannot be used: 2 broken lines, 1 missing image, /);
    await expect(failed).rejects.toThrow(/, 1 empty caption, 1 empty answer \(pairs.jsonl, line 1: broken line/);
    await expect(readdir(join(folder, 'out'))).rejects.toThrow('ENOENT');
  });

  test('are left out with skipBad', async () => {
    const folder = await temporaryFolder();
    const pairs = await pairsFile(folder, [...bad, ...shapeLines()]);
    const { run, reports } = await trainIn(folder, { pairs, skipBad: true, steps: 1 });
    expect(run?.problems.map(({ fault }) => fault)).toEqual([
      'broken line',
      'missing image',
      'empty caption',
      'empty answer',
      'broken line',
      'broken image',
    ]);
    expect([run?.exampleCount, reports.length]).toEqual([9, 1]);
  });

  test('may have texts that are too long for the language model', async () => {
    const folder = await temporaryFolder();
    const [line = ''] = shapeLines();
    const long = JSON.stringify({ ...(JSON.parse(line) as object), caption: 'a star '.repeat(200) });
    await expect(trainIn(folder, { pairs: await pairsFile(folder, [line, long]) })).rejects.toThrow(/1 too long/);
  });
});

test('a loss that is not finite ends the run, with the state before it saved', async () => {
  const folder = await temporaryFolder();
  const failed = trainIn(folder, { learningRate: 1e38, train: ['projection'] });
  await expect(failed).rejects.toMatchObject({ code: 'NOT_FINITE' });
  const log = (await readFile(join(folder, 'out/training/log.jsonl'), 'utf8')).trim().split('\n');
  const state = await readState(join(folder, 'out/training'));
  expect(state?.values['step']).toBe(log.length);
});

test.each([
  [{ train: ['vision'] }, 'train'],
  [{ train: [] }, 'train'],
  [{ reset: ['qformer'], train: ['projection'] }, 'reset'],
  [{ steps: 0 }, 'steps'],
  [{ steps: 1.5 }, 'steps'],
  [{ seed: -1 }, 'seed'],
  [{ learningRate: 0 }, 'learningRate'],
  [{ betas: [0.9] }, 'betas'],
  [{ saveEvery: -1 }, 'saveEvery'],
  [{ resume: true, restart: true }, 'restart'],
  [{ model: undefined }, 'model'],
  [{ onStep: 1 }, 'onStep'],
])('%j is refused', async (options, argument) => {
  const given = { pairs: 'pairs.jsonl', model: demo, output: 'out', ...options } as unknown as TrainOptions;
  await expect(train(given)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument } });
  await expect(train({ ...given, batch: 1 } as TrainOptions)).rejects.toMatchObject({ code: 'UNKNOWN_OPTION' });
});

describe('a validation', () => {
  test('keeps the best weights, and ends a run that does not get better', async () => {
    const folder = await temporaryFolder();
    const reports: ValidationReport[] = [];
    // A rate at which training destroys what the demo knows.
    const { result } = await trainIn(folder, {
      validation: await pairsFile(await temporaryFolder(), shapeLines().slice(0, 3)),
      validateEvery: 2,
      patience: 2,
      steps: 20,
      batchSize: 9,
      train: ['projection'],
      reset: ['projection'],
      learningRate: 0.5,
      onValidation: (report) => reports.push(report),
    });
    expect(result).toMatchObject({ status: 'done', steps: 20, step: reports.at(-1)?.step });
    expect(reports.map(({ step }) => step)).toEqual(reports.map((_, index) => 2 * index + 2));
    const best = reports.findLastIndex(({ isBest }) => isBest);
    expect(reports.map(({ isLast }) => isLast)).toEqual(reports.map((_, index) => index === best + 2));
    expect(reports[0]).toMatchObject({ isBest: true, samples: [{ expected: recorded.pairs[0]?.caption }, {}, {}] });
    const saved = await tensorsOf(join(folder, 'out/training/best'));
    const written = await tensorsOf(join(folder, 'out'));
    for (const name of saved.keys()) expect(bytesOf(written, name), name).toEqual(bytesOf(saved, name));
    const html = await readFile(join(folder, 'out/training/report.html'), 'utf8');
    for (const text of ['<svg', 'data:image/jpeg;base64,', 'Texts after step', 'learningRate'])
      expect(html).toContain(text);
    expect(html).not.toMatch(/(src|href)="(?!data:)|https?:/);
  });

  test('is made once if the run is interrupted after it', async () => {
    const folder = await temporaryFolder();
    const validation = await pairsFile(await temporaryFolder(), shapeLines().slice(3, 5));
    const steps: number[] = [];
    for (const resume of [false, true]) {
      const controller = new AbortController();
      await trainIn(folder, {
        ...{ validation, validateEvery: 1, steps: 3, train: ['projection'], resume, signal: controller.signal },
        onStep: ({ step }) => void (step === 2 && controller.abort()),
        onValidation: ({ step }) => steps.push(step),
      });
    }
    expect(steps).toEqual([1, 2, 3]);
  });

  test('generates what the model answers', async () => {
    const image = join(demo, '../../../../examples/left-of.png');
    const lines = [
      { image, caption: 'a blue triangle to the left of a small yellow circle' },
      { image, question: 'what color is the triangle?', answer: 'blue' },
      { image, question: 'what shape is on the left?', answer: 'circle' },
    ].map((line) => JSON.stringify(line));
    const file = await pairsFile(await temporaryFolder(), lines);
    let report: ValidationReport | undefined;
    await trainIn(await temporaryFolder(), {
      ...{ pairs: file, validation: file, steps: 1, learningRate: 1e-12 },
      onValidation: (each) => (report = each),
    });
    expect(report?.samples.map(({ generated }) => generated)).toEqual([
      'a blue triangle to the left of a small yellow circle',
      'blue',
      'triangle',
    ]);
    expect(report?.exactMatch).toBeCloseTo(2 / 3);
    // With one image, every word is in all references, and weighs nothing.
    expect(report?.cider).toBe(0);
  });
});

test('a language model in 8 bits has nearly the same losses', async () => {
  const { losses } = recorded.runs.projection;
  const { reports } = await trainIn(await temporaryFolder(), { train: ['projection'], dtype: 'int8' });
  for (const [index, { loss }] of reports.entries())
    expect(Math.abs(loss / (losses[index] ?? NaN) - 1), `loss ${index}`).toBeLessThan(0.03);
  expect(reports.map(({ loss }) => loss)).not.toEqual(losses);
});

describe('another neighbour', () => {
  test('needs a bridge of its width, which is reset', async () => {
    const folder = await temporaryFolder();
    const encoder = join(demo, '../../../../tools/parity/cases/siglip/checkpoint');
    const swapped = { vision: encoder, steps: 2, batchSize: 4 };
    await expect(trainIn(folder, swapped)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    await trainIn(folder, { ...swapped, restart: true, reset: ['qformer', 'projection'] });
    await using blip2 = await Blip2.fromPretrained(join(folder, 'out'), { threads: 1 });
    const { text } = await blip2.caption(join(demo, '../../../../examples/left-of.png'), { maxNewTokens: 2 });
    expect(typeof text).toBe('string');
  });

  test('may be a language model with its own tokenizer', async () => {
    const folder = await temporaryFolder();
    const language = join(demo, '../blip2-t5-shapes');
    const { reports } = await trainIn(folder, {
      language,
      reset: ['projection'],
      train: ['projection'],
      steps: 12,
      batchSize: 9,
    });
    expect(reports.at(-1)?.loss).toBeLessThan(0.8 * (reports[0]?.loss ?? 0));
    await using blip2 = await Blip2.fromPretrained(join(folder, 'out'), { threads: 1 });
    expect((await blip2.caption(join(demo, '../../../../examples/left-of.png'))).text).toMatch(/\w/);
  });
});
