import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { demoModelFolder } from '../../model/demo-model.ts';
import { lossPlot } from './loss-plot.ts';

const problem = { where: 'pairs.jsonl, line 3', fault: 'missing image', got: 'a.jpg' } as const;

describe('blip2 train', () => {
  test('passes its options on, and prints steps and the folder', async () => {
    const { exitCode, stdout, stderr, calls } = await runFake([
      'train',
      'pairs.jsonl',
      ...['-o', 'out', '--train', 'qformer, projection', '--reset', 'projection', '--steps', '3', '--seed', '4'],
      ...['--batch-size', '8', '--micro-batch', '2', '--learning-rate', '1e-3', '--warmup-steps', '1'],
      ...['--weight-decay', '0', '--vision', './v', '--language', './l', '--processor', './p', '--dtype', 'int8'],
      ...['--threads', '1', '--offline', '--skip-bad', '--features', 'f', '--save-every', '0.5', '--restart'],
    ]);
    expect([exitCode, stderr]).toEqual([0, '3 examples, 5 weights, 3 of 3 steps.\n']);
    expect(stdout).toBe('1\t1.0000\t1.00e-3\n2\t0.5000\t1.00e-3\n3\t0.3333\t1.00e-3\nout\n');
    expect(JSON.parse(String(calls[0]?.['what']))).toEqual({
      pairs: 'pairs.jsonl',
      model: demoModelFolder,
      output: 'out',
      train: ['qformer', 'projection'],
      reset: ['projection'],
      steps: 3,
      seed: 4,
      batchSize: 8,
      microBatch: 2,
      learningRate: 1e-3,
      warmupSteps: 1,
      weightDecay: 0,
      vision: './v',
      language: './l',
      processor: './p',
      dtype: 'int8',
      threads: 1,
      localFilesOnly: true,
      skipBad: true,
      features: 'f',
      saveEvery: 0.5,
      restart: true,
    });
  });

  test('prints every step as an object with --json, and about a hundred lines of text without', async () => {
    const json = await runFake(['train', 'p.jsonl', '-o', 'out', '--steps', '250', '--json', '--quiet']);
    const lines = json.stdout.trim().split('\n');
    expect([lines.length, json.stderr]).toEqual([251, '']);
    expect(JSON.parse(lines[1] ?? '')).toEqual({ step: 2, loss: 0.5, norm: 1, learningRate: 1e-3 });
    expect(JSON.parse(lines[250] ?? '')).toEqual({ output: 'out', step: 250, loss: 1 / 250 });
    const text = await runFake(['train', 'p.jsonl', '-o', 'out', '--steps', '250']);
    expect(text.stdout.trim().split('\n')).toHaveLength(86);
  });

  test('ends after its step on Ctrl-C, and says how to go on', async () => {
    const { exitCode, stdout, stderr } = await runFake(['train', 'p.jsonl', '-o', 'out', '--steps', '9'], {
      onCall: (call, signals) => {
        if (call.name === 'step' && call['what'] === '4') signals.emit('SIGINT');
      },
    });
    expect(exitCode).toBe(130);
    expect(stderr).toMatch(/Stopped after step 4 of 9; --resume continues the run\.\n$/);
    expect(stdout.trim().split('\n')).toHaveLength(4);
  });

  test('names the examples that are left out', async () => {
    const { stderr } = await runFake(['train', 'p.jsonl', '-o', 'out', '--skip-bad'], { problems: [problem] });
    expect(stderr).toBe(
      '3 examples, 1 left out, 5 weights, 2 of 2 steps.\npairs.jsonl, line 3: missing image (a.jpg)\n',
    );
  });

  test('reports validations on stderr, and with --json on stdout', async () => {
    const argv = ['train', 'p.jsonl', '-o', 'out', '--validation', 'v/', '--validate-every', '1', '--patience', '2'];
    const text = await runFake(argv);
    expect(text.stderr).toContain('after step 1: 50.0 % of the texts right, loss 1.0000, the best so far.\n');
    expect(text.stderr).toContain('after step 2: 50.0 % of the texts right, loss 1.0000.\n');
    const { stdout } = await runFake([...argv, '--json']);
    const found = stdout.split('\n').filter((line) => line.includes('validation'));
    expect(found.map((line) => (JSON.parse(line) as { validation: { step: number } }).validation.step)).toEqual([1, 2]);
  });

  test('shows a plot of the loss on a terminal', async () => {
    const argv = ['train', 'p.jsonl', '-o', 'out', '--steps', '4'];
    const { stderr } = await runFake(argv, { stderrIsTerminal: true });
    expect(stderr).toContain('3/3 images encoded');
    expect(stderr).toMatch(/4\/4 loss 0\.2500 █▅▂▁ \d+ s left/);
    const plain = await runFake([...argv, '--no-progress'], { stderrIsTerminal: true });
    expect(plain.stderr).not.toContain('left');
  });

  test.each([
    [['p.jsonl'], /-o/],
    [['p.jsonl', '-o', 'x', '--steps', '0'], /--steps/],
    [['p.jsonl', '-o', 'x', '--train', 'a,,b'], /--train/],
    [['p.jsonl', '-o', 'x', '--learning-rate', '0'], /--learning-rate/],
    [['p.jsonl', '-o', 'x', '--save-every', '-1'], /--save-every/],
    [['-o', 'x'], /pairs/],
  ])('%j is a usage error', async (argv, message) => {
    const { exitCode, stderr } = await runFake(['train', ...argv]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
  });
});

test('a plot has one bar per step, or per several', () => {
  expect(lossPlot([], 5)).toBe('');
  expect(lossPlot([1], 5)).toBe('▁');
  expect(lossPlot([4, 1, 1, 1], 2)).toBe('█▁');
  expect(lossPlot([1, 0], 5)).toBe('█▁');
});
