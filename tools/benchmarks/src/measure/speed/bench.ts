import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { defined, mustBe } from '@blip2/interfaces';

import type { BenchFile, BenchRow, BenchSide } from '../../report/result-files.ts';
import { type Samples, summaryOf } from '../../report/statistics.ts';
import { BLIP2, programPath, repositoryPath, TIMED_IMAGE } from '../../repository.ts';
import { checkpointFolder } from '../../shapes/checkpoint-folder.ts';
import { shapeNamed } from '../../shapes/shapes.ts';
import { bytesPerToken } from '../bytes-per-token.ts';
import { lastJsonLine } from '../json-program.ts';
import { machine, versions } from '../machine.ts';
import type { Bandwidth } from './bandwidth.ts';

const NEW_TOKENS = 10;

type Options = ReturnType<typeof parseOptions>;

/** The samples of one block. */
interface Measured {
  readonly samples: Samples;
  readonly convertMs?: number;
  readonly versions?: Readonly<Record<string, string>>;
}

/** One side at one setting, with the samples of all blocks. */
interface Turn {
  readonly side: BenchSide;
  readonly setting: string;
  convertMs?: number;
  samples: Record<string, readonly number[]>;
}

/**
 * `npm run bench -- --shape opt-2.7b|flan-t5-xl|tiny [--against python] [--json FILE] [--ours fp32,int8,q4,fast,small]
 * [--pytorch float32,bfloat16,int8] [--blocks 2] [--rounds 3] [--checkpoint FOLDER] [--image FILE] [--scaling]`:
 * measures this library and, with `--against python`, Transformers on PyTorch. Creates the random checkpoint of the
 * shape if it does not exist.
 *
 * In each block every setting has one turn, in a process of its own so that only one model is in memory, and the two
 * sides alternate. An untimed start before each turn of this library fills the file cache and converts weights if
 * necessary; each process has its own warm-up as well. PyTorch is called through `PYTHON` (default `python3`). Nothing
 * else should run meanwhile. With `--scaling`, runs `scaling.js` instead.
 */
export async function command(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  shapeNamed(options.shape);
  if (![undefined, 'python'].includes(options.against)) throw mustBe('--against', 'python', options.against);
  const folder = checkpointFolder(options.shape, options.checkpoint);
  if (options.scaling) {
    const scaling = [programPath('scaling'), '--shape', options.shape, '--checkpoint', folder];
    execFileSync(process.execPath, scaling, { stdio: 'inherit' });
    return;
  }
  const turns = alternating(listed(options.ours), options.against === undefined ? [] : listed(options.pytorch));
  const result = await emptyResult(options);
  const read = new Map(
    await Promise.all(turns.map(async ({ setting }) => [setting, await bytesPerToken(folder, setting)] as const)),
  );
  for (let block = 0; block < result.blocks; block++) {
    // Every other block runs backwards, so that a drift in the machine's speed favours no setting.
    for (const turn of block % 2 === 0 ? turns : turns.toReversed()) {
      const measured =
        turn.side === 'ours'
          ? measureOurs(folder, turn.setting, options)
          : measurePytorch(folder, turn.setting, options);
      for (const [name, values] of Object.entries(measured.samples))
        turn.samples[name] = [...(turn.samples[name] ?? []), ...values];
      if (measured.convertMs !== undefined) turn.convertMs = measured.convertMs;
      Object.assign(result.versions, measured.versions);
      // Written after every turn, so that the results of an interrupted run are not lost.
      result.rows = turns
        .filter(({ samples }) => samples['captionMs'])
        .map((each) => rowOf(each, read.get(each.setting) ?? NaN));
      if (options.json !== undefined) writeFileSync(options.json, benchText(result));
      const captionMs = summaryOf(measured.samples)['captionMs'];
      console.error(`block ${block + 1}: ${turn.side} ${turn.setting}, caption ${String(captionMs)} ms`);
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
    machine: { ...machine(), ...bandwidth },
    versions: versions(),
    rows: [],
  };
}

function listed(names: string): readonly string[] {
  return names === '' ? [] : names.split(',');
}

/** The `i`-th setting of this library, then the `i`-th of PyTorch. */
function alternating(ours: readonly string[], pytorch: readonly string[]): readonly Turn[] {
  const sides = { ours, pytorch };
  return Array.from({ length: Math.max(ours.length, pytorch.length) }, (_, index) =>
    (['ours', 'pytorch'] as const).flatMap((side): Turn[] => {
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
  return { samples: lastJsonLine<Measured>(process.execPath, bench).samples, ...defined({ convertMs }) };
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

function rowOf({ samples, ...turn }: Turn, readBytesPerToken: number): BenchRow {
  return { ...turn, readBytesPerToken, ...summaryOf(samples) };
}

/** JSON with each range on one line. */
function benchText(result: BenchFile): string {
  return `${JSON.stringify(result, undefined, 2).replace(/\[\s+([\d.]+),\s+([\d.]+)\s+\]/g, '[$1, $2]')}\n`;
}

function printRows(rows: readonly BenchRow[]): void {
  const shown = rows.map(({ side, setting, ranges: _ranges, readBytesPerToken: _bytes, ...numbers }) => [
    `${side} ${setting}`,
    numbers,
  ]);
  console.table(Object.fromEntries(shown));
}

function commandLine({ checkpoint: _checkpoint, json, image: _image, scaling: _scaling, ...named }: Options): string {
  return [
    'npm run bench --',
    ...Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`])),
    ...(json === undefined ? [] : ['--json FILE']),
  ].join(' ');
}
