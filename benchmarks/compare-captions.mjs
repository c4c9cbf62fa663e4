/**
 * Takes turns with caption.mjs and caption.py over one checkpoint, one side in memory at a time, and writes what both measured:
 * PYTHON=python3 node benchmarks/compare-captions.mjs FOLDER PICTURE RESULT.json [ROUNDS] [ours:DTYPE,pytorch:DTYPE,…]. Nothing else should run meanwhile.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const [folder, picture, result, rounds = '2', settings = 'ours:fp32,pytorch:float32'] = process.argv.slice(2);
const programs = { ours: [process.execPath, here('caption.mjs')], pytorch: [process.env.PYTHON ?? 'python3', here('caption.py')] };
const RUNS = '3';

const rows = [];
for (let round = 0; round < Number(rounds); round++) {
  for (const [side, setting] of settings.split(',').map((each) => each.split(':'))) {
    const [program, script] = programs[side];
    rows.push(JSON.parse(execFileSync(program, [script, folder, picture, RUNS, setting], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim().split('\n').at(-1)));
    console.error(JSON.stringify(rows.at(-1)));
  }
}
const median = (side, setting) => {
  const times = rows.filter((row) => row.side === side && row.setting === setting).flatMap(({ captionMs }) => captionMs).toSorted((a, b) => a - b);
  return times[Math.floor(times.length / 2)];
};
const [{ model }] = cpus();
const command = `PYTHON=python3 node benchmarks/compare-captions.mjs FOLDER ${picture} RESULT ${rounds} ${settings}`;
const machine = { cpu: model, cores: cpus().length, memoryGiB: totalmem() / 2 ** 30, node: process.version };
const medianMs = Object.fromEntries(settings.split(',').map((each) => [each, median(...each.split(':'))]));
const summary = { command, shape: 'opt-2.7b', newTokens: 10, machine, medianMs, rows };
writeFileSync(result, `${JSON.stringify(summary, undefined, 2)}\n`);
console.table(medianMs);
