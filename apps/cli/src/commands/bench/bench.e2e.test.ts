import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { bash, repository, spawnBlip2 } from '../../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { BENCH_METRICS } from './bench-job.ts';

interface Line {
  readonly dtype: string;
  readonly convertMs?: number;
  readonly firstCaptionMs: number;
  readonly captionMs: number;
  readonly loadMs: number;
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

describe('blip2 bench', () => {
  test('measures the demo at each precision, after converting weights if needed', async () => {
    const at = await temporaryFolder({});
    const { exitCode, stdout, stderr } = await bash(
      `blip2 bench --dtype fp32,q4 --rounds 2 --new-tokens 3 --threads 1 --json`,
      { BLIP2_CACHE: at('cache') },
    );
    expect([exitCode, stderr]).toEqual([0, '']);
    const lines = stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as Line);
    expect(lines.map(({ dtype }) => dtype)).toEqual(['fp32', 'q4']);
    expect(lines.map(({ convertMs }) => convertMs === undefined)).toEqual([true, false]);
    for (const line of lines) {
      expect(Object.keys(line.samples)).toEqual(Object.keys(BENCH_METRICS));
      for (const [name, values] of Object.entries(line.samples))
        expect([name, values.length > 0 && values.every((value) => value > 0)]).toEqual([name, true]);
      // Two rounds with a prompt and two more tokens.
      expect([
        line.samples['captionMs']?.length,
        line.samples['tokenMs']?.length,
        line.samples['beams5Ms']?.length,
      ]).toEqual([2, 4, 1]);
      expect(line.firstCaptionMs).toBeGreaterThan(line.loadMs);
    }
  });

  test('shows the number of threads in use', async () => {
    const { stdout } = await spawnBlip2(['bench', '--rounds', '1', '--new-tokens', '2', '--threads', '3']);
    expect(stdout).toMatch(/^blip2 .*, 3 threads; captions/m);
  });

  test('prints a table for a given image, and nothing else', async () => {
    const at = await temporaryFolder({});
    const line = 'blip2 bench --image examples/photo-size.jpg --rounds 1 --new-tokens 2';
    const { exitCode, stdout, stderr } = await bash(line, { BLIP2_CACHE: at('cache') });
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^the built-in demo, whose times are not those of a real model\n.*captions of 2 tokens.*\n +fp32\n/,
    );
    expect(stdout).toMatch(/^blip2 .*, (\d+ threads?|onnxruntime's own number of threads); captions/m);
    for (const name of Object.keys(BENCH_METRICS)) expect(stdout).toMatch(new RegExp(`^${name} .* [\\d.]+$`, 'm'));
  });

  test('measures a model with an adapter, which must fit', async () => {
    const cases = join(repository, 'tools/parity/cases');
    const bench = (adapter: string) =>
      spawnBlip2([
        ...['bench', join(cases, 'opt/checkpoint'), '--adapter', join(cases, 'values/adapters', adapter, 'adapter-1')],
        ...['--rounds', '1', '--new-tokens', '2', '--threads', '1', '--json'],
      ]);
    const { exitCode, stdout } = await bench('opt-blip2');
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { dtype: 'fp32' }]);
    expect(await bench('llama-patterns')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^MISSING_WEIGHT: The base model has no module/) as string,
    });
  });

  test.each([
    [['--dtype', 'fp32,'], 2, /names separated by commas/],
    [['--dtype', 'q5'], 2, /UNSUPPORTED_DTYPE/],
    [['--new-tokens', '1'], 2, /at least 2/],
    [['--image', 'nowhere.png'], 1, /ENOENT.*nowhere\.png/],
  ])('fails with %j', async (argv, code, message) => {
    const { exitCode, stdout, stderr } = await spawnBlip2(['bench', '--threads', '1', ...argv]);
    expect([exitCode, stdout]).toEqual([code, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n').length).toBe(1);
  });
});
