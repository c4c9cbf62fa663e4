import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
/** Milliseconds, on a machine that does other things too. */
const PATIENCE = 120_000;

interface Row {
  readonly side: string;
  readonly setting: string;
  readonly convertMs?: number;
  readonly ranges: Readonly<Record<string, readonly [number, number]>>;
  readonly [name: string]: unknown;
}
interface Result {
  readonly shape: string;
  readonly command: string;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

/** What a row is promised to say, each with its range. */
const MEASURES = [
  'loadMs',
  'firstCaptionMs',
  'visionMs',
  'qformerMs',
  'prefillMs',
  'tokenMs',
  'captionMs',
  'beams5Ms',
  'batch8CaptionsPerSecond',
  'peakMiB',
  'rssAnonMiB',
];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'blip2-benchmarks-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(script: string, ...args: readonly string[]): string {
  const env = {
    ...process.env,
    BLIP2_CACHE: join(folder, 'cache'),
    BLIP2_BENCH_CHECKPOINTS: join(folder, 'checkpoints'),
  };
  return execFileSync(process.execPath, [join(root, 'benchmarks', script), ...args], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

describe('npm run bench', () => {
  test(
    'makes the checkpoint, measures each setting, and writes what it promises',
    () => {
      const file = join(folder, 'tiny.json');
      run('bench.mjs', '--shape', 'tiny', '--ours', 'fp32,fast', '--blocks', '2', '--rounds', '1', '--json', file);
      const { shape, command, machine, versions, rows } = JSON.parse(readFileSync(file, 'utf8')) as Result;
      expect({ shape, command }).toEqual({
        shape: 'tiny',
        command:
          'npm run bench -- --shape tiny --ours fp32,fast --blocks 2 --rounds 1 --pytorch float32,bfloat16,int8 --json FILE',
      });
      expect(machine).toMatchObject({
        cpu: expect.any(String),
        features: expect.any(Array),
        cores: expect.any(Number),
        memoryGiB: expect.any(Number),
        bandwidthBy: expect.any(String),
      });
      expect(machine['bandwidthGBs']).toBeGreaterThan(0);
      expect(versions).toEqual({ node: process.versions.node, onnxruntime: expect.stringMatching(/^\d+\.\d+/) });
      expect(rows.map(({ side, setting }) => `${side} ${setting}`)).toEqual(['ours fp32', 'ours fast']);
      expect(rows.map(({ convertMs }) => convertMs !== undefined)).toEqual([false, true]);
      // Two layers of four square and two oblong matrices, and the table of words as head: 4 bytes each.
      expect(rows[0]?.['readBytesPerToken']).toBe(4 * (2 * (4 * 64 * 64 + 2 * 64 * 128) + 448 * 64));
      for (const row of rows) {
        for (const name of MEASURES) {
          const [least = NaN, most = NaN] = row.ranges[name] ?? [];
          const median = row[name];
          expect([
            row.setting,
            name,
            least > 0 && typeof median === 'number' && least <= median && median <= most,
          ]).toEqual([row.setting, name, true]);
        }
      }
    },
    PATIENCE,
  );

  test(
    '--scaling writes how times grow, and a plot of it',
    () => {
      run('scaling.mjs', '--shape', 'tiny', '--out', folder);
      const { images, prompts, newTokens, threads } = JSON.parse(
        readFileSync(join(folder, 'scaling-tiny.json'), 'utf8'),
      ) as Readonly<
        Record<'images' | 'prompts' | 'newTokens' | 'threads', readonly Readonly<Record<string, number>>[]>
      >;
      expect(images.map((point) => point['images'])).toEqual([1, 2, 4, 8, 16, 32]);
      expect(prompts.map((point) => point['words'])).toEqual([8, 32, 128, 512]);
      expect(newTokens.map((point) => point['newTokens'])).toEqual([1, 4, 16, 64, 256]);
      expect(threads.map((point) => point['threads'])).toEqual([1, 2]);
      for (const point of [...images, ...prompts, ...newTokens, ...threads])
        expect(Object.values(point).every((value) => value > 0)).toBe(true);
      const svg = readFileSync(join(folder, 'scaling-tiny.svg'), 'utf8');
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      // A circle for each point: three lines where threads are compared.
      expect(svg.match(/<circle /g)).toHaveLength(6 + 4 + 5 + 3 * 2);
    },
    PATIENCE,
  );

  test('knows its shapes only', () => {
    expect(() => run('bench.mjs', '--shape', 'huge')).toThrow(/--shape takes opt-2\.7b, flan-t5-xl, tiny/);
  });
});

test('the README says what the result files give, and shows the plots of them', async () => {
  const { captionCharts, measuredMarkdown, withMeasured } = (await import('../benchmarks/measured.mjs' as string)) as {
    measuredMarkdown(root: string): string;
    withMeasured(readme: string, markdown: string): string;
    captionCharts(root: string): Record<string, string>;
  };
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  expect(readme).toBe(withMeasured(readme, measuredMarkdown(root)));
  expect(readme).not.toBe(withMeasured(readme, ''));
  const results = join(root, 'benchmarks/results');
  for (const [name, svg] of Object.entries(captionCharts(root)))
    expect([name, readFileSync(join(results, name), 'utf8') === svg]).toEqual([name, true]);
  const named = [...readme.matchAll(/\]\((benchmarks\/[^)]+)\)/g)].map(([, path = '']) =>
    path.replace('benchmarks/results/', ''),
  );
  expect(readdirSync(results)).toEqual(expect.arrayContaining(named));
});
