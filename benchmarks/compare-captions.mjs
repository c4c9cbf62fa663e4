/**
 * Takes turns with caption.mjs and caption.py over one checkpoint, one side in memory at a time, and writes what both measured:
 * PYTHON=python3 node benchmarks/compare-captions.mjs FOLDER PICTURE RESULT.json [ROUNDS]. Nothing else should run meanwhile.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const [folder, picture, result, rounds = '2'] = process.argv.slice(2);
const python = process.env.PYTHON ?? 'python3';
const sides = { ours: [process.execPath, here('caption.mjs')], pytorch: [python, here('caption.py')] };

const rows = [];
for (let round = 0; round < Number(rounds); round++) {
  for (const [program, script] of Object.values(sides)) {
    rows.push(JSON.parse(execFileSync(program, [script, folder, picture], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim().split('\n').at(-1)));
    console.error(JSON.stringify(rows.at(-1)));
  }
}
const median = (side) => {
  const times = rows.filter((row) => row.side === side).flatMap(({ captionMs }) => captionMs).toSorted((a, b) => a - b);
  return times[Math.floor(times.length / 2)];
};
const [{ model }] = cpus();
const command = `PYTHON=python3 node benchmarks/compare-captions.mjs FOLDER ${picture} RESULT ${rounds}`;
const summary = { command, shape: 'opt-2.7b', newTokens: 10, machine: { cpu: model, cores: cpus().length, memoryGiB: totalmem() / 2 ** 30, node: process.version }, medianMs: { ours: median('ours'), pytorch: median('pytorch') }, rows };
summary.ratio = summary.medianMs.ours / summary.medianMs.pytorch;
writeFileSync(result, `${JSON.stringify(summary, undefined, 2)}\n`);
console.log(`ours / pytorch = ${summary.ratio.toFixed(2)}`);
