/**
 * Wall time of whole processes, from start to end: node benchmarks/start-time.mjs [RUNS]. Writes
 * results/start-time.json.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [runs = '9'] = process.argv.slice(2);
const bin = here('../apps/cli/bin/blip2.js');
const commands = {
  node: ['-e', '0'],
  help: [bin, '--help'],
  'demo caption': [bin, 'caption', here('../examples/left-of.png'), '--quiet'],
};

const rows = Object.entries(commands).map(([name, args]) => {
  const times = Array.from({ length: Number(runs) + 1 }, () => {
    const start = performance.now();
    execFileSync(process.execPath, args, { stdio: 'ignore' });
    return performance.now() - start;
  })
    .slice(1)
    .toSorted((a, b) => a - b);
  return {
    name,
    medianMs: Math.round(times[Math.floor(times.length / 2)]),
    minMs: Math.round(times[0]),
    maxMs: Math.round(times.at(-1)),
  };
});
const [{ model }] = cpus();
const result = {
  command: `node benchmarks/start-time.mjs ${runs}`,
  machine: { cpu: model, cores: cpus().length, node: process.version },
  rows,
};
writeFileSync(here('results/start-time.json'), `${JSON.stringify(result, undefined, 2)}\n`);
console.table(rows);
