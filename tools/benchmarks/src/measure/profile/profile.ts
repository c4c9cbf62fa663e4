import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Blip2 } from '@blip2/blip2';
import { defined, type PrecisionChoice } from '@blip2/interfaces';
import { defaultThreads } from '@blip2/runtime';

import { programPath, resultPath, TIMED_IMAGE } from '../../repository.ts';
import { checkpointFolder } from '../../shapes/checkpoint-folder.ts';
import { lastJsonLine, resultText } from '../json-program.ts';
import { machine, versions } from '../machine.ts';
import type { Bandwidth } from '../speed/bandwidth.ts';
import { fastestRun, type GraphProfile, type ProfileEvent, withLimits } from './graph-profile.ts';
import { multiplyRates } from './multiply-rates.ts';
import { profiledSessions } from './profiled-sessions.ts';

const SHOWN_OPERATORS = 8;

/**
 * `profile.js [--shape opt-2.7b] [--dtype fast] [--checkpoint FOLDER] [--runs 5] [--image FILE]`: where the time of one
 * caption goes. Takes onnxruntime's own profile of every graph, the fastest of several runs of each, adds up its
 * operators by name, and compares them with two limits of the machine: memory bandwidth (`bandwidth.js`), and the rate
 * of multiplications, measured with byte and float products as large as the vision encoder's. Writes
 * `results/profile-SHAPE-DTYPE.json`.
 */
export async function command(args: readonly string[]): Promise<void> {
  const { values: options } = parseArgs({
    args: [...args],
    options: {
      shape: { type: 'string', default: 'opt-2.7b' },
      dtype: { type: 'string', default: 'fast' },
      checkpoint: { type: 'string' },
      runs: { type: 'string', default: '5' },
      image: { type: 'string', default: TIMED_IMAGE },
    },
  });
  const { shape, dtype } = options;
  const folder = mkdtempSync(join(tmpdir(), 'blip2-profile-'));
  try {
    await profileCaptions(folder, checkpointFolder(shape, options.checkpoint), options);
    const graphs = readProfiles(folder);
    const bandwidth = lastJsonLine<Bandwidth>(process.execPath, [programPath('bandwidth')]);
    const limits = { ...bandwidth, ...(await multiplyRates()) };
    const result = {
      command: `node tools/benchmarks/bin/profile.js --shape ${shape} --dtype ${dtype}`,
      machine: machine(),
      versions: versions(),
      limits,
      graphs: graphs.map((graph) => withLimits(graph, limits)),
    };
    writeFileSync(resultPath(`profile-${shape}-${dtype}.json`), resultText(result));
    for (const { name, milliseconds, limitMs, products, operators } of result.graphs) {
      const slowest = JSON.stringify(operators.slice(0, SHOWN_OPERATORS));
      console.log(`${name} ${milliseconds} ms; limit ${limitMs} ${JSON.stringify(products)} ${slowest}`);
    }
    console.log(JSON.stringify(limits));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes the profiles of some captions to `folder`. */
async function profileCaptions(
  folder: string,
  checkpoint: string,
  { dtype, runs, image }: { readonly dtype: string; readonly runs: string; readonly image: string },
): Promise<void> {
  const { createSession, endProfiling } = profiledSessions(folder);
  const threads = await defaultThreads({ weightBytes: () => Infinity });
  const options = { dtype: dtype as PrecisionChoice, createSession, ...defined({ threads }) };
  const blip2 = await Blip2.fromPretrained(checkpoint, options);
  for (let run = 0; run < Number(runs); run++) await blip2.caption(image, { minNewTokens: 10, maxNewTokens: 10 });
  endProfiling();
  await blip2.dispose();
}

function readProfiles(folder: string): readonly GraphProfile[] {
  return readdirSync(folder)
    .toSorted()
    .map((file) => fastestRun(file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as ProfileEvent[]))
    .filter((graph) => graph !== undefined);
}
