/** The part of the README that says what was measured, and the plots it shows, from the files of results. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { barsSvg } from './svg-plot.mjs';

const FOLDER = 'benchmarks/results';
/** Columns of a table of settings: head, key, digits behind the point, divisor. */
const COLUMNS = [
  ['load, s', 'loadMs', 1, 1000],
  ['start to first caption, s', 'firstCaptionMs', 1, 1000],
  ['vision, ms', 'visionMs', 0, 1],
  ['Q-Former, ms', 'qformerMs', 0, 1],
  ['prompt, ms', 'prefillMs', 0, 1],
  ['token, ms', 'tokenMs', 0, 1],
  ['**caption, s**', 'captionMs', 2, 1000],
  ['5 beams, s', 'beams5Ms', 2, 1000],
  ['captions/s, 8 at a time', 'batch8CaptionsPerSecond', 2, 1],
  ['peak, GiB', 'peakMiB', 1, 1024],
  ['anonymous, GiB', 'rssAnonMiB', 1, 1024],
];
const SIDES = { ours: 'ours', pytorch: 'PyTorch' };

/** Markdown between the markers of the README. `root` is the top of the repository. */
export function measuredMarkdown(root) {
  const results = readResults(root);
  const benches = Object.keys(results)
    .filter((name) => name.startsWith('bench-'))
    .map((name) => benchMarkdown(name, results));
  return [...benches, othersMarkdown(results)].join('\n\n');
}

/** SVG text by file name: a bar chart for each table of settings. */
export function captionCharts(root) {
  const benches = Object.entries(readResults(root)).filter(([name]) => name.startsWith('bench-'));
  return Object.fromEntries(
    benches.map(([name, { shape, rows, newTokens, machine }]) => [
      `${name.replace('bench-', 'caption-')}.svg`,
      chart({ shape, rows, newTokens, machine }),
    ]),
  );
}

function chart({ shape, rows, newTokens, machine }) {
  const bars = sorted(rows).map(({ side, setting, captionMs }) => ({
    name: `${SIDES[side]} ${setting}`,
    group: side,
    value: captionMs,
    text: `${fixed(captionMs / 1000, 2)} s`,
  }));
  return barsSvg(`One caption of ${newTokens} tokens, ${shape} shape, ${machine.cores} cores of ${machine.cpu}`, bars);
}

function readResults(root) {
  const files = readdirSync(join(root, FOLDER))
    .filter((file) => file.endsWith('.json'))
    .sort();
  return Object.fromEntries(
    files.map((file) => [file.replace('.json', ''), JSON.parse(readFileSync(join(root, FOLDER, file), 'utf8'))]),
  );
}

function benchMarkdown(name, results) {
  const { shape, command, newTokens, rounds, blocks, machine, versions, rows, note } = results[name];
  const head = `**Random weights of the ${shape} shape**, captions of ${newTokens} tokens, the image decoded and processed each time, ${machine.cores} cores of ${machine.cpu} (${machine.features.join(', ')}), ${fixed(machine.memoryGiB, 0)} GiB, memory read at ${fixed(machine.bandwidthGBs, 1)} GB/s; Node ${versions.node}, onnxruntime ${versions.onnxruntime}${versions.torch ? `, torch ${versions.torch}, transformers ${versions.transformers}` : ''}. Medians of ${count(rounds, 'round')} in ${count(blocks, 'block')}; least and most, and how it was run, in ${link(name)}: \`${command}\`.`;
  const table = [
    `| | ${COLUMNS.map(([title]) => title).join(' | ')} |`,
    `|---|${COLUMNS.map(() => '---:').join('|')}|`,
    ...rows
      .toSorted((a, b) => Object.keys(SIDES).indexOf(a.side) - Object.keys(SIDES).indexOf(b.side))
      .map(
        (row) =>
          `| ${SIDES[row.side]} \`${row.setting}\` | ${COLUMNS.map(([, key, digits, divisor]) => fixed(row[key] / divisor, digits)).join(' | ')} |`,
      ),
  ].join('\n');
  const chartFile = `${FOLDER}/${name.replace('bench-', 'caption-')}.svg`;
  return [
    head,
    note ?? '',
    table,
    comparison(rows),
    floors(rows, machine),
    `![Time of a caption by setting](${chartFile})`,
    scalingMarkdown(name.replace('bench-', ''), results),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** How many times as fast ours is, for each of ours against each of theirs. */
function comparison(rows) {
  const theirs = rows.filter(({ side }) => side === 'pytorch');
  const ours = rows.filter(({ side }) => side === 'ours');
  if (theirs.length === 0) return '';
  const compared = (own, key) => theirs.map((other) => `${times(other[key] / own[key])} (${other.setting})`).join(', ');
  const lines = ours.map(
    (own) =>
      `| \`${own.setting}\` | ${['captionMs', 'tokenMs', 'firstCaptionMs'].map((key) => compared(own, key)).join(' | ')} | ${theirs.map((other) => `${times(own.batch8CaptionsPerSecond / other.batch8CaptionsPerSecond)} (${other.setting})`).join(', ')} |`,
  );
  return [
    'Times as fast as PyTorch:',
    ['| ours | caption | token | start to first caption | 8 at a time |', '|---|---|---|---|---|', ...lines].join('\n'),
  ].join('\n\n');
}

/** A token reads all weights of the language model once: bandwidth bounds it. */
function floors(rows, { bandwidthGBs }) {
  const parts = rows.map(
    ({ side, setting, tokenMs, readBytesPerToken }) =>
      `${SIDES[side]} \`${setting}\` ${fixed(tokenMs / (readBytesPerToken / bandwidthGBs / 1e6), 2)}`,
  );
  return `Time of a token, of what reading its weights at that bandwidth takes: ${parts.join(', ')}.`;
}

function scalingMarkdown(run, results) {
  const name = `scaling-${run}`;
  return results[name]
    ? `Images per batch, length of the prompt, new tokens and threads at \`${results[name].dtype}\`, ${link(name)}:\n\n![How times grow](${FOLDER}/${name}.svg)`
    : '';
}

function othersMarkdown(results) {
  const rows = Object.entries(OTHERS)
    .filter(([name]) => name.split(' ').every((each) => results[each]))
    .map(([name, describe]) => {
      const names = name.split(' ');
      const [what, value] = describe(...names.map((each) => results[each]));
      return `| ${what} | ${value} | ${names.map(link).join(', ')} |`;
    });
  return ['Other things, on demo checkpoints:', ['| what | | result file |', '|---|---|---|', ...rows].join('\n')].join(
    '\n\n',
  );
}

const OTHERS = {
  'start-time': ({ rows, machine }) => {
    const of = (name) => `${rows.find((row) => row.name === name).medianMs} ms`;
    return [
      `from start to the demo's caption, the process as a whole; \`blip2 --help\`; \`node\` itself (${machine.cores} cores of ${machine.cpu}, Node ${machine.node.slice(1)})`,
      ['demo caption', 'help', 'node'].map(of).join('; '),
    ];
  },
  'accuracy-opt accuracy-t5': (...files) => {
    const greedy = files.map(({ rows }) => rows.find(({ numBeams }) => numBeams === 1));
    const share = ({ correct, of }) => `${correct}/${of}`;
    const same = greedy.every(
      ({ sameTokensAsReference: { captions, answers } }) =>
        captions.correct === captions.of && answers.correct === answers.of,
    );
    return [
      'unseen scenes: captions and answers right, OPT and T5',
      `${greedy.map(({ captions, answers }) => `${share(captions)} and ${share(answers)}`).join('; ')}${same ? ', token for token what transformers says' : ''}`,
    ];
  },
  quality: ({ rows }) => {
    const line = (checkpoint) =>
      rows
        .filter((row) => row.checkpoint === checkpoint && row.dtype !== 'fp32')
        .map(({ dtype, captionsRight, answersRight }) => `\`${dtype}\` ${captionsRight} and ${answersRight}`)
        .join(', ');
    return [
      'the same at other precisions',
      [...new Set(rows.filter(({ captionsRight }) => captionsRight !== undefined).map(({ checkpoint }) => checkpoint))]
        .map((checkpoint) => `${checkpoint.toUpperCase()}: ${line(checkpoint)}`)
        .join('; '),
    ];
  },
  'second-question': ({ rows }) => {
    const second = (way) => rows.find((row) => row.architecture === 'causal' && row.way === way && row.question === 2);
    return [
      'a second question about an image that is encoded (OPT)',
      `images encoded: ${second('encoded').imagesEncoded}; positions read: ${second('encoded').positionsPrefilled} instead of ${second('given anew').positionsPrefilled}`,
    ];
  },
};

const sorted = (rows) => rows.toSorted((a, b) => a.captionMs - b.captionMs);
const fixed = (value, digits) => value.toFixed(value !== 0 && value < 1 && digits === 0 ? 1 : digits);
const times = (value) => fixed(value, value < 10 ? 2 : 1);
const count = (number, noun) => `${number} ${noun}${number === 1 ? '' : 's'}`;
const link = (name) => `[${name}](${FOLDER}/${name}.json)`;

/** Markers of the generated part. */
const [BEGIN, END] = ['<!-- measured: npm run bench:table -->', '<!-- /measured -->'];

/** The README with what the results give between the markers. */
export function withMeasured(readme, markdown) {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new TypeError(`README.md lacks ${BEGIN} and ${END}`);
  return `${readme.slice(0, from + BEGIN.length)}\n${markdown}\n${readme.slice(to)}`;
}
