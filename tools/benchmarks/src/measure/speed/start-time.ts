import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

import { medianOf, rangeOf } from '@blip2/cli';

import { BLIP2, repositoryPath, resultPath } from '../../repository.ts';
import { resultText } from '../json-program.ts';

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  node: ['-e', '0'],
  help: [BLIP2, '--help'],
  'demo caption': [BLIP2, 'caption', repositoryPath('examples/left-of.png'), '--quiet'],
};

/** `start-time.js [RUNS]`: wall time of whole processes. Writes `results/start-time.json`. */
export async function command([runs = '9']: readonly string[]): Promise<void> {
  const rows = Object.entries(COMMANDS).map(([name, args]) => {
    const times = Array.from({ length: Number(runs) + 1 }, () => processMs(args)).slice(1);
    const [least, most] = rangeOf(times);
    return {
      name,
      medianMs: Math.round(medianOf(times)),
      minMs: Math.round(least),
      maxMs: Math.round(most),
    };
  });
  const result = {
    command: `node tools/benchmarks/bin/start-time.js ${runs}`,
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
    rows,
  };
  writeFileSync(resultPath('start-time.json'), resultText(result));
  console.table(rows);
}

function processMs(args: readonly string[]): number {
  const start = performance.now();
  execFileSync(process.execPath, args, { stdio: 'ignore' });
  return performance.now() - start;
}
