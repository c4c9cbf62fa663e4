import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { defined, mustBe } from '@blip2/interfaces';

import type { BenchFile, BenchRow, BenchSide, ThreadsUsed } from '../../report/result-files.ts';
import { type Samples, summaryOf } from '../../report/statistics.ts';
import { BLIP2, programPath, repositoryPath, TIMED_IMAGE } from '../../repository.ts';
import { checkpointFolder } from '../../shapes/checkpoint-folder.ts';
import { llamaShape, readBytesOf, writeGguf } from '../../shapes/random-gguf.ts';
import { shapeNamed } from '../../shapes/shapes.ts';
import { bytesPerToken } from '../bytes-per-token.ts';
import { lastJsonLine } from '../json-program.ts';
import { machine, processors, versions } from '../machine.ts';
import type { Bandwidth } from './bandwidth.ts';

const NEW_TOKENS = 10;

type Options = ReturnType<typeof parseOptions>;

/** The samples of one block. */
interface Measured {
  readonly samples: Samples;
  readonly convertMs?: number;
  readonly threads?: ThreadsUsed;
  readonly versions?: Readonly<Record<string, string>>;
}

/** One side at one setting, with the samples of all blocks. */
interface Turn {
  readonly side: BenchSide;
  readonly setting: string;
  convertMs?: number;
  threads?: ThreadsUsed;
  samples: Record<string, readonly number[]>;
}

const HELP = `npm run bench -- [options]

Measures this library with random weights of a shape, and compares it with others on the same machine. Nothing else
should run meanwhile.

  --shape NAME       opt-2.7b (default), flan-t5-xl, or tiny, which runs in seconds
  --against LIST     python: also Transformers on PyTorch; llama: also a Llama of the same size on llama.cpp, prompt and
                     token only
  --ours LIST        precisions of this library (default: fp32,int8,q4,fast,small)
  --pytorch LIST     settings of PyTorch (default: float32,bfloat16,int8); +compile adds torch.compile
  --blocks N         blocks, in which the sides alternate (default: 2)
  --rounds N         timed rounds per block, once times are stable (default: 3)
  --json FILE        result file, rewritten after every setting
  --checkpoint DIR   checkpoint in place of that of the shape
  --image FILE       image in place of the example
  --scaling          measure batch size, prompt length, new tokens and threads instead
  --help             this text

PYTHON                   interpreter with torch, transformers and pillow (default: python3)
BLIP2_BENCH_CHECKPOINTS  folder of the random checkpoints (default: tools/benchmarks/checkpoints)
BLIP2_BENCH_LLAMA        folder in which node-llama-cpp is installed (default: this repository)
BLIP2_THREADS            threads of this library in place of those measured, such as encoder=4,prompt=4,decode=2
`;
const OTHERS = ['python', 'llama'] as const;
/** The only precision of the Llama: 4-bit weights, with an 8-bit head. */
const LLAMA_SETTING = 'Q4_0';

/**
 * `npm run bench -- --help` lists the options. Measures this library and, with `--against python`, Transformers on
 * PyTorch; with `--against llama`, llama.cpp. Creates the random checkpoint of the shape if it does not exist.
 *
 * In each block every setting has one turn, in a process of its own so that only one model is in memory, and the two
 * sides alternate. An untimed start before each turn of this library fills the file cache and converts weights if
 * necessary; each process has its own warm-up as well. PyTorch is called through `PYTHON` (default `python3`). Nothing
 * else should run meanwhile. With `--scaling`, runs `scaling.js` instead.
 */
export async function command(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if (options.help) return void process.stdout.write(HELP);
  shapeNamed(options.shape);
  const others = listed(options.against ?? '');
  if (!others.every((name) => OTHERS.some((other) => other === name)))
    throw mustBe('--against', OTHERS.join(', or '), options.against);
  const folder = checkpointFolder(options.shape, options.checkpoint);
  if (options.scaling) {
    const scaling = [programPath('scaling'), '--shape', options.shape, '--checkpoint', folder];
    execFileSync(process.execPath, scaling, { stdio: 'inherit' });
    return;
  }
  const turns = alternating({
    ours: listed(options.ours),
    pytorch: others.includes('python') ? listed(options.pytorch) : [],
    llama: others.includes('llama') ? [LLAMA_SETTING] : [],
  });
  if (others.includes('llama')) writeGguf(llamaShape(options.shape), ggufFile(folder));
  const result = await emptyResult(options);
  const read = new Map(
    await Promise.all(
      turns.map(
        async ({ side, setting }) =>
          [
            setting,
            side === 'llama' ? readBytesOf(llamaShape(options.shape)) : await bytesPerToken(folder, setting),
          ] as const,
      ),
    ),
  );
  for (let block = 0; block < result.blocks; block++) {
    // Every other block runs backwards, so that a drift in the machine's speed favours no setting.
    for (const turn of block % 2 === 0 ? turns : turns.toReversed()) {
      const measured = MEASURE[turn.side](folder, turn.setting, options);
      for (const [name, values] of Object.entries(measured.samples))
        turn.samples[name] = [...(turn.samples[name] ?? []), ...values];
      Object.assign(turn, defined({ convertMs: measured.convertMs, threads: measured.threads }));
      Object.assign(result.versions, measured.versions);
      // Written after every turn, so that the results of an interrupted run are not lost.
      result.rows = turns
        .filter(({ samples }) => samples['tokenMs'])
        .map((each) => rowOf(each, read.get(each.setting) ?? NaN));
      if (options.json !== undefined) writeFileSync(options.json, benchText(result));
      const { captionMs, tokenMs } = summaryOf(measured.samples);
      console.error(
        `block ${block + 1}: ${turn.side} ${turn.setting}, caption ${String(captionMs)} ms, token ${String(tokenMs)} ms`,
      );
    }
  }
  printRows(result.rows);
}

function parseOptions(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      shape: { type: 'string', default: 'opt-2.7b' },
      against: { type: 'string' },
      json: { type: 'string' },
      ours: { type: 'string', default: 'fp32,int8,q4,fast,small' },
      pytorch: { type: 'string', default: 'float32,bfloat16,int8' },
      blocks: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      checkpoint: { type: 'string' },
      scaling: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      image: { type: 'string', default: TIMED_IMAGE },
    },
  }).values;
}

async function emptyResult(options: Options): Promise<BenchFile> {
  // The tiny shape only serves to test the format of the result.
  const bandwidth = lastJsonLine<Bandwidth>(process.execPath, [
    programPath('bandwidth'),
    options.shape === 'tiny' ? '64' : '1024',
  ]);
  return {
    shape: options.shape,
    command: commandLine(options),
    newTokens: NEW_TOKENS,
    blocks: Number(options.blocks),
    rounds: Number(options.rounds),
    machine: { ...machine(), ...(await processors()), ...bandwidth },
    versions: versions(),
    rows: [],
  };
}

function listed(names: string): readonly string[] {
  return names === '' ? [] : names.split(',');
}

/** The `i`-th setting of this library, then the `i`-th of each other side. */
function alternating(sides: Readonly<Record<BenchSide, readonly string[]>>): readonly Turn[] {
  const names = Object.keys(sides) as readonly BenchSide[];
  return Array.from({ length: Math.max(...names.map((side) => sides[side].length)) }, (_, index) =>
    names.flatMap((side): Turn[] => {
      const setting = sides[side][index];
      return setting === undefined ? [] : [{ side, setting, samples: {} }];
    }),
  ).flat();
}

function measureOurs(folder: string, setting: string, options: Options): Measured {
  const warmUp = [programPath('warm-up'), folder, options.image, setting];
  const { convertMs } = lastJsonLine<{ readonly convertMs?: number }>(process.execPath, warmUp);
  const timing = ['--rounds', options.rounds, '--new-tokens', String(NEW_TOKENS)];
  const bench = [BLIP2, 'bench', folder, '--dtype', setting, '--image', options.image, ...timing, '--json', '--quiet'];
  const { samples, threads } = lastJsonLine<Measured>(process.execPath, bench);
  return { samples, ...defined({ convertMs, threads }) };
}

function measurePytorch(folder: string, setting: string, { image, rounds }: Options): Measured {
  const program = repositoryPath('tools/benchmarks/reference.py');
  return lastJsonLine<Measured>(process.env['PYTHON'] ?? 'python3', [
    program,
    folder,
    image,
    setting,
    rounds,
    String(NEW_TOKENS),
  ]);
}

function measureLlama(folder: string, _: string, { rounds }: Options): Measured {
  return lastJsonLine<Measured>(process.execPath, [programPath('llama'), ggufFile(folder), rounds, String(NEW_TOKENS)]);
}

const MEASURE: Readonly<Record<BenchSide, (folder: string, setting: string, options: Options) => Measured>> = {
  ours: measureOurs,
  pytorch: measurePytorch,
  llama: measureLlama,
};

/** The Llama of a checkpoint's size is next to it. */
function ggufFile(folder: string): string {
  return `${folder.replace(/[/\\]+$/, '')}.gguf`;
}

function rowOf({ samples, ...turn }: Turn, readBytesPerToken: number): BenchRow {
  return { ...turn, readBytesPerToken, ...summaryOf(samples) };
}

/** JSON with each range on one line. */
function benchText(result: BenchFile): string {
  return `${JSON.stringify(result, undefined, 2).replace(/\[\s+([\d.]+),\s+([\d.]+)\s+\]/g, '[$1, $2]')}\n`;
}

function printRows(rows: readonly BenchRow[]): void {
  const shown = rows.map(
    ({ side, setting, ranges: _ranges, readBytesPerToken: _bytes, threads: _threads, ...numbers }) => [
      `${side} ${setting}`,
      numbers,
    ],
  );
  console.table(Object.fromEntries(shown));
}

function commandLine({
  checkpoint: _checkpoint,
  json,
  image: _image,
  scaling: _scaling,
  help: _help,
  ...named
}: Options): string {
  return [
    'npm run bench --',
    ...Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`])),
    ...(json === undefined ? [] : ['--json FILE']),
  ].join(' ');
}
