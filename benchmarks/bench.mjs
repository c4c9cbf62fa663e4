/**
 * How fast ours is, and transformers on PyTorch beside it: npm run bench -- --shape opt-2.7b|flan-t5-xl|tiny [--against
 * python] [--json FILE] [--ours fp32,int8,q4,fast,small]
 * [--pytorch float32,bfloat16,int8] [--blocks 2] [--rounds 3] [--checkpoint FOLDER] [--image FILE]. Makes the random
 * checkpoint of the shape if it is missing. In each block every setting
 * has its turn, ours and theirs in alternation, in a process of its own, so that one side is in memory at a time;
 * before a turn of ours an untimed start warms the file cache
 * and converts weights if need be. With --scaling, scaling.mjs instead. Before the rounds that count, every process has
 * its own warm-up. PyTorch is reached through `PYTHON` (default `python3`). Nothing else should run meanwhile.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { checkpointFolder } from './checkpoint-folder.mjs';
import { machine, versions } from './machine.mjs';
import { SHAPES } from './shapes.mjs';
import { summaryOf } from './statistics.mjs';
import { bytesPerToken } from './weights-per-token.mjs';

const at = (name) => fileURLToPath(new URL(name, import.meta.url));
const NEW_TOKENS = 10;

const { values: options } = parseArgs({
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
    image: { type: 'string', default: at('../examples/photo-size.jpg') },
  },
});
if (!SHAPES[options.shape] || ![undefined, 'python'].includes(options.against))
  throw new TypeError(`--shape takes ${Object.keys(SHAPES).join(', ')}; --against takes python`);

const folder = checkpointFolder(options.shape, options.checkpoint);
if (options.scaling) {
  execFileSync(process.execPath, [at('scaling.mjs'), '--shape', options.shape, '--checkpoint', folder], {
    stdio: 'inherit',
  });
  process.exit();
}
const names = (list) => (list === '' ? [] : list.split(','));
const measure = { ours: measureOurs, pytorch: measurePytorch };
/** Samples of all blocks, and what else is known, by side and setting. */
const measured = new Map(
  alternating(names(options.ours), options.against ? names(options.pytorch) : []).map(([side, setting]) => [
    `${side} ${setting}`,
    { side, setting, samples: {} },
  ]),
);
const result = {
  shape: options.shape,
  command: commandLine(),
  newTokens: NEW_TOKENS,
  blocks: Number(options.blocks),
  rounds: Number(options.rounds),
  machine: { ...machine(), ...probe() },
  versions: versions(),
  rows: [],
};
const read = Object.fromEntries(
  await Promise.all([...measured.values()].map(async ({ setting }) => [setting, await bytesPerToken(folder, setting)])),
);

for (let block = 0; block < result.blocks; block++) {
  // Backwards every second time, so that a machine that grows slower or faster favours nobody.
  const turns = block % 2 === 0 ? [...measured.values()] : [...measured.values()].reverse();
  for (const turn of turns) {
    const { samples, versions: theirs, ...more } = measure[turn.side](turn.setting);
    for (const [name, values] of Object.entries(samples))
      turn.samples[name] = [...(turn.samples[name] ?? []), ...values];
    Object.assign(turn, more);
    Object.assign(result.versions, theirs);
    // After every turn, so that a run that is stopped has not been in vain.
    result.rows = [...measured.values()]
      .filter(({ samples: own }) => own.captionMs)
      .map(({ samples: own, ...row }) => ({ ...row, readBytesPerToken: read[row.setting], ...summaryOf(own) }));
    if (options.json) writeFileSync(options.json, resultText());
    console.error(`block ${block + 1}: ${turn.side} ${turn.setting}, caption ${summaryOf(samples).captionMs} ms`);
  }
}
console.table(
  Object.fromEntries(
    result.rows.map(({ side, setting, ranges: _ranges, readBytesPerToken: _bytes, ...numbers }) => [
      `${side} ${setting}`,
      numbers,
    ]),
  ),
);

/** The `i`-th of ours, then the `i`-th of theirs. */
function alternating(ours, theirs) {
  return Array.from({ length: Math.max(ours.length, theirs.length) }, (_, index) => [
    ['ours', ours[index]],
    ['pytorch', theirs[index]],
  ])
    .flat()
    .filter(([, setting]) => setting !== undefined);
}

/** Ranges on one line each. */
function resultText() {
  return `${JSON.stringify(result, undefined, 2).replace(/\[\s+([\d.]+),\s+([\d.]+)\s+\]/g, '[$1, $2]')}\n`;
}

function measureOurs(setting) {
  const { convertMs } = lastLine(process.execPath, [at('warm-up.mjs'), folder, options.image, setting]);
  const args = [
    'bench',
    folder,
    '--dtype',
    setting,
    '--image',
    options.image,
    '--rounds',
    options.rounds,
    '--new-tokens',
    String(NEW_TOKENS),
    '--json',
    '--quiet',
  ];
  const { samples } = lastLine(process.execPath, [at('../apps/cli/bin/blip2.js'), ...args]);
  return { samples, ...(convertMs !== undefined && { convertMs }) };
}

function measurePytorch(setting) {
  const { samples, versions: theirs } = lastLine(process.env.PYTHON ?? 'python3', [
    at('reference.py'),
    folder,
    options.image,
    setting,
    options.rounds,
    String(NEW_TOKENS),
  ]);
  return { samples, versions: theirs };
}

function probe() {
  // The tiny shape is for the shape of the result only.
  return lastLine(process.execPath, [at('bandwidth.mjs'), options.shape === 'tiny' ? '64' : '1024']);
}

/** What a program prints last, as JSON. What it says on stderr is shown if it fails. */
function lastLine(program, args) {
  return JSON.parse(
    execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 28 })
      .trim()
      .split('\n')
      .at(-1),
  );
}

function commandLine() {
  const { checkpoint: _checkpoint, json, image: _image, scaling: _scaling, ...named } = options;
  return [
    'npm run bench --',
    ...Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`])),
    ...(json ? ['--json FILE'] : []),
  ].join(' ');
}
