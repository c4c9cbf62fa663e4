import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  type BenchFile,
  charts,
  type Counts,
  differences,
  GENERATED_DOCUMENTS,
  kindsMarkdown,
  llamaShape,
} from '@blip2/benchmarks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
/** Timeout in milliseconds, for machines that are busy with other work. */
const TIMEOUT = 120_000;

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

/** The measures of a row, each with its range. */
const MEASURES = [
  'loadMs',
  'firstCaptionMs',
  'secondCaptionMs',
  'warmUpCaptions',
  'visionMs',
  'qformerMs',
  'prefillMs',
  'firstTokenMs',
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

function run(program: string, ...args: readonly string[]): string {
  const env = {
    ...process.env,
    BLIP2_CACHE: join(folder, 'cache'),
    BLIP2_BENCH_CHECKPOINTS: join(folder, 'checkpoints'),
  };
  return execFileSync(process.execPath, [join(root, 'tools/benchmarks/bin', program), ...args], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

describe('npm run bench', () => {
  test(
    'creates the checkpoint, measures each setting, and writes the result file',
    () => {
      const file = join(folder, 'tiny.json');
      run('bench.js', '--shape', 'tiny', '--ours', 'fp32,fast', '--blocks', '2', '--rounds', '1', '--json', file);
      const { shape, command, machine, versions, rows } = JSON.parse(readFileSync(file, 'utf8')) as Result;
      expect({ shape, command }).toEqual({
        shape: 'tiny',
        command:
          'npm run bench -- --shape tiny --ours fp32,fast --blocks 2 --rounds 1' +
          ' --pytorch float32,bfloat16,int8 --json FILE',
      });
      expect(machine).toMatchObject({
        cpu: expect.any(String),
        features: expect.any(Array),
        cores: expect.any(Number),
        memoryGiB: expect.any(Number),
        bandwidthBy: expect.any(String),
        processors: expect.any(Number),
      });
      expect(machine['bandwidthGBs']).toBeGreaterThan(0);
      expect(versions).toEqual({ node: process.versions.node, onnxruntime: expect.stringMatching(/^\d+\.\d+/) });
      expect(rows.map(({ side, setting }) => `${side} ${setting}`)).toEqual(['ours fp32', 'ours fast']);
      expect(rows.map(({ convertMs }) => convertMs !== undefined)).toEqual([false, true]);
      // Two layers of four square and two oblong matrices, and the token embedding as head; 4 bytes per weight.
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
    TIMEOUT,
  );

  test(
    '--scaling writes times by size, and their plot',
    () => {
      run('scaling.js', '--shape', 'tiny', '--out', folder);
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
      // A circle per point; the panel of threads has three lines.
      expect(svg.match(/<circle /g)).toHaveLength(6 + 4 + 5 + 3 * 2);
    },
    TIMEOUT,
  );

  test('--help lists every option, and measures nothing', () => {
    const help = run('bench.js', '--help');
    for (const option of ['--shape', '--against', '--ours', '--pytorch', '--blocks', '--rounds', '--json', '--scaling'])
      expect(help).toContain(`  ${option} `);
    for (const variable of ['PYTHON', 'BLIP2_BENCH_CHECKPOINTS', 'BLIP2_BENCH_LLAMA', 'BLIP2_THREADS'])
      expect(help).toContain(`\n${variable} `);
  });

  test('rejects other libraries, and names what is missing for llama.cpp', () => {
    expect(() => run('bench.js', '--against', 'tensorflow')).toThrow(
      /--against must be python, or llama, got "tensorflow"/,
    );
    expect(() => run('llama.js', join(folder, 'none.gguf'))).toThrow(/node-llama-cpp is not installed/);
  });

  test('rejects an unknown shape', () => {
    const message = /--shape must be opt-2\.7b, flan-t5-xl, medium, tiny, got "huge"/;
    expect(() => run('bench.js', '--shape', 'huge')).toThrow(message);
  });
});

describe('a Llama of the size of a shape', () => {
  test('has its layers, width and vocabulary, and as many weights per layer', () => {
    expect(llamaShape('opt-2.7b')).toEqual({
      hiddenSize: 2560,
      layers: 32,
      heads: 32,
      ffnSize: 6816,
      vocabularySize: 50304,
    });
    expect(llamaShape('flan-t5-xl')).toMatchObject({ hiddenSize: 2048, layers: 24, ffnSize: 6496 });
  });

  test('is a GGUF file with all tensors', () => {
    const file = join(folder, 'tiny.gguf');
    run('random-gguf.js', 'tiny', file);
    const bytes = readFileSync(file);
    expect([bytes.toString('latin1', 0, 4), bytes.readUInt32LE(4)]).toEqual(['GGUF', 3]);
    // Embedding, head and last norm; nine per layer.
    expect(Number(bytes.readBigUInt64LE(8))).toBe(3 + 2 * 9);
    const { hiddenSize, layers, ffnSize, vocabularySize } = llamaShape('tiny');
    const blocks = (layers * (4 * hiddenSize ** 2 + 3 * hiddenSize * ffnSize) * 18) / 32;
    const norms = (2 * layers + 1) * hiddenSize * 4;
    const weights = blocks + norms + (hiddenSize * vocabularySize * (18 + 34)) / 32;
    const header = bytes.length - weights;
    expect(header > 0 && header < 20_000).toBe(true);
    expect(bytes.indexOf('blk.1.ffn_down.weight')).toBeLessThan(header);
  });
});

describe('kinds of machines', () => {
  const rows = (caption: number, batch: number): BenchFile['rows'] =>
    [
      { side: 'ours', setting: 'fast', captionMs: 100, batch8CaptionsPerSecond: 2 },
      { side: 'pytorch', setting: 'int8', captionMs: caption, batch8CaptionsPerSecond: batch },
    ] as unknown as BenchFile['rows'];
  const file = (machine: Partial<BenchFile['machine']>, measured: BenchFile['rows']): BenchFile =>
    ({
      shape: 'opt-2.7b',
      machine: { cores: 2, cpu: 'A', features: ['avx_vnni'], ...machine },
      rows: measured,
    }) as BenchFile;

  test('are compared side by side, with what is slower', () => {
    const markdown = kindsMarkdown([
      ['bench-a', file({}, rows(130, 1))],
      [
        'bench-b',
        file({ features: [], quota: 1.5, coreKinds: [{ name: 'core', cores: 1, processors: 2 }] }, rows(80, 4)),
      ],
    ]);
    expect(markdown).toContain('| opt-2.7b, 2 cores of A | 1.30 |');
    expect(markdown).toContain('| opt-2.7b, 2 cores (1 physical core) of A, no VNNI, quota 1.5 | 0.80 |');
    expect(markdown).toMatch(/Slower than PyTorch `int8`: opt-2.7b, 2 cores \(.*: caption, batch of 8\.$/);
  });

  test('say so if nothing is slower, and nothing without a comparison', () => {
    expect(kindsMarkdown([['bench-a', file({}, rows(130, 1))]])).toMatch(/Nowhere slower\.$/);
    expect(kindsMarkdown([['bench-a', file({}, rows(130, 1).slice(0, 1))]])).toBe('');
  });
});

describe('counts', () => {
  test(
    'of operators, sessions, bytes and modules are the recorded ones, or fewer',
    () => {
      expect(run('counts.js')).toContain('0 differences from tools/benchmarks/results/counts.json');
    },
    TIMEOUT,
  );

  const recorded = JSON.parse(readFileSync(join(root, 'tools/benchmarks/results/counts.json'), 'utf8')) as Counts;
  test.each<[string, Partial<Counts>]>([
    [
      `modules of the workers: ${recorded.modules.workers + 1}`,
      { modules: { ...recorded.modules, workers: recorded.modules.workers + 1 } },
    ],
    ['sessions opened by a second caption: 1', { secondCaption: { ...recorded.secondCaption, sessionsOpened: 1 } }],
    ['bytes from the workers: 90000', { secondCaption: { ...recorded.secondCaption, bytesFromWorkers: 90_000 } }],
    [
      'opt fp32 opt_decoder: 1 Sin, recorded: 0',
      {
        operators: {
          ...recorded.operators,
          'opt fp32 opt_decoder': { ...recorded.operators['opt fp32 opt_decoder'], Sin: 1 },
        },
      },
    ],
    ['new graph: 1 Add, recorded: 0', { operators: { ...recorded.operators, 'new graph': { Add: 1 } } }],
  ])('name what changed: %s', (line, change) => {
    expect(differences(recorded, { ...recorded, ...change })).toEqual([expect.stringContaining(line)]);
  });

  test('may be smaller', () => {
    const { secondCaption, modules } = recorded;
    const fewer = { ...recorded, modules: { ...modules, main: 1 }, secondCaption: { ...secondCaption, bytesRead: 1 } };
    expect(differences(recorded, fewer)).toEqual([]);
  });
});

test('README.md and docs/benchmarks.md contain the tables and charts of the result files', () => {
  const results = join(root, 'tools/benchmarks/results');
  for (const [path, generate] of Object.entries(GENERATED_DOCUMENTS)) {
    const document = readFileSync(join(root, path), 'utf8');
    expect(document).toBe(generate(document));
    // The generated sections are not empty.
    expect(document).toMatch(/^\| ours `fast` \|/m);
    const linked = [...document.matchAll(/\]\((?:\.\.\/)?tools\/benchmarks\/results\/([^)]+)\)/g)].map(
      ([, file = '']) => file,
    );
    expect(readdirSync(results)).toEqual(expect.arrayContaining(linked));
  }
  for (const [file, svg] of Object.entries(charts()))
    expect([file, readFileSync(join(results, file), 'utf8') === svg]).toEqual([file, true]);
});
