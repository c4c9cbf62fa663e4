/** Mistakes in what exported graphs compute outside the decoder's own graph: each must be noticed. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { LanguageModel } from '@blip2/interfaces';
import { decodeModel, encodeModel, type GraphProto, type NodeProto } from '@blip2/onnx';
import { writeGraph } from '@blip2/part';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { loadLanguageModel } from '../families.ts';
import { onnxLanguageModel } from '../onnx-file/onnx-language-model.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const CHECKPOINTS = ['opt', 'gpt2', 'llama', 'mistral', 'gemma3-text', 'phi3', 't5'] as const;
const TOLERANCE = 1e-4;
/** Length of the prompts, above the windows of the checkpoints. */
const LENGTH = 24;
let folder = '';
const expected = new Map<string, number[]>();

/** Logits of a prompt with padding and of two steps, the second with reordered rows. */
async function logitsOf(model: LanguageModel): Promise<number[]> {
  const row = (seed: number): number[] => Array.from({ length: LENGTH }, (_, at) => 3 + ((at * seed) % 29));
  const mask = [new Array<number>(LENGTH).fill(1), Array.from({ length: LENGTH }, (_, at) => (at < 5 ? 0 : 1))];
  await using decoding = await model.start({ inputsEmbeds: await model.embed([row(7), row(11)]), attentionMask: mask });
  const first = decoding.logits.data;
  const second = (
    await decoding.extend({
      ids: [
        [5, 9],
        [10, 4],
      ],
    })
  ).data;
  return [...first, ...second, ...(await decoding.extend({ ids: [[6], [7]], parents: [1, 0] })).data];
}

const open = (name: string, decoder = 'decoder_model_merged', encoder = 'encoder_model'): Promise<LanguageModel> =>
  onnxLanguageModel(join(folder, name, `${decoder}.onnx`), {
    embedTokens: join(folder, name, 'embed_tokens.onnx'),
    specialTokens: { decoderStartTokenId: 0 },
    ...(name === 't5' && { encoder: join(folder, name, `${encoder}.onnx`) }),
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-mutants-'));
  for (const name of CHECKPOINTS) {
    await using model = await loadLanguageModel(join(cases, name, 'checkpoint'));
    for (const graph of model.exportGraphs?.() ?? [])
      await writeGraph(join(folder, name, `${graph.name}.onnx`), graph.model, { opset: 21 });
    expected.set(name, await logitsOf(model));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function difference(got: readonly number[], name: string): number {
  const right = expected.get(name) ?? [];
  expect(got.length).toBe(right.length);
  return Math.max(...got.map((value, at) => Math.abs(value - (right[at] ?? Number.NaN))));
}

/** The nodes that the export adds, of one operator: those of the included graphs have names with a path. */
function added({ node }: GraphProto, opType: string): NodeProto[] {
  return node.filter((each) => each.opType === opType && !each.name.includes('/'));
}

function only(nodes: readonly NodeProto[]): NodeProto {
  const [node] = nodes;
  if (!node) throw new TypeError('The graph has no such node');
  return node;
}

interface Mutant {
  readonly of: (typeof CHECKPOINTS)[number];
  readonly file?: 'encoder_model';
  readonly edit: (graph: GraphProto) => void;
}

const MUTANTS: Readonly<Record<string, Mutant>> = {
  'a position does not attend to itself': {
    of: 'opt',
    edit: (graph) => void (only(added(graph, 'LessOrEqual')).opType = 'Less'),
  },
  'later positions are attended to': {
    of: 'llama',
    edit: (graph) => void (only(added(graph, 'LessOrEqual')).opType = 'GreaterOrEqual'),
  },
  'padding is attended to': {
    of: 'opt',
    edit(graph) {
      const and = only(added(graph, 'And'));
      and.input = [and.input[0] ?? '', and.input[0] ?? ''];
    },
  },
  'learned positions are twice as large': {
    of: 'gpt2',
    edit(graph) {
      const max = only(added(graph, 'Max'));
      max.opType = 'Add';
      max.input = [max.input[0] ?? '', max.input[0] ?? ''];
    },
  },
  "OPT's positions start one row too early": {
    of: 'opt',
    edit(graph) {
      const ids = only(added(graph, 'Add'));
      ids.opType = 'Identity';
      ids.input = ids.input.slice(0, 1);
    },
  },
  'new positions are numbered from the start of the row': {
    of: 'opt',
    edit(graph) {
      const [slice] = added(graph, 'Slice');
      const zero = graph.initializer.find(
        ({ rawData, dims }) => dims.length === 1 && rawData.every((byte) => byte === 0),
      );
      const start = only(slice ? [slice] : []);
      if (zero) start.input[1] = zero.name;
      else start.input[2] = start.input[1] ?? '';
    },
  },
  'cosine and sine are exchanged': {
    of: 'llama',
    edit(graph) {
      const [cos, sin] = [only(added(graph, 'Cos')), only(added(graph, 'Sin'))];
      cos.opType = 'Sin';
      sin.opType = 'Cos';
    },
  },
  'a window is one position wider': {
    of: 'mistral',
    edit: (graph) => void (only(added(graph, 'Greater')).opType = 'GreaterOrEqual'),
  },
  'windowed layers have the rotations of the others': {
    of: 'gemma3-text',
    edit(graph) {
      for (const opType of ['Cos', 'Sin']) {
        const [whole, windowed] = added(graph, opType);
        if (whole && windowed) windowed.input = [...whole.input];
      }
    },
  },
  'longrope has the factors of short texts': {
    of: 'phi3',
    edit: (graph) => added(graph, 'Where').forEach((where) => where.input.splice(1, 1, where.input[2] ?? '')),
  },
  'longrope has no factor of cosines and sines': {
    of: 'phi3',
    edit(graph) {
      for (const opType of ['Cos', 'Sin']) {
        const turned = only(added(graph, opType)).output[0];
        const scaled = added(graph, 'Mul').find(({ input }) => input[0] === turned);
        if (scaled) Object.assign(scaled, { opType: 'Identity', input: scaled.input.slice(0, 1) });
      }
    },
  },
  "T5's encoder buckets are mirrored": {
    of: 't5',
    file: 'encoder_model',
    edit(graph) {
      const [distance] = added(graph, 'Sub');
      distance?.input.reverse();
    },
  },
  "T5's encoder attends to padding": {
    of: 't5',
    file: 'encoder_model',
    edit(graph) {
      const where = only(added(graph, 'Where'));
      where.input[2] = where.input[1] ?? '';
    },
  },
  "T5's decoder attends to the padding of the encoder": {
    of: 't5',
    edit(graph) {
      for (const where of added(graph, 'Where')) where.input[2] = where.input[1] ?? '';
    },
  },
  "T5's decoder distances have no past": {
    of: 't5',
    edit(graph) {
      const buckets = added(graph, 'Min');
      expect(buckets.length).toBeGreaterThan(0);
      for (const min of buckets) min.opType = 'Max';
    },
  },
};

describe.each(CHECKPOINTS)('an exported %s', (name) => {
  test('is equal without a mistake', async () => {
    await using model = await open(name);
    expect(difference(await logitsOf(model), name)).toBeLessThan(TOLERANCE);
  });
});

test('a text that outgrows the original length of longrope in the cache has no logits', async () => {
  await using model = await open('phi3');
  // The original length is 14.
  const start = (length: number) => {
    const ids = Array.from({ length }, (_, at) => 3 + at);
    return model.embed([ids]).then((inputsEmbeds) => model.start({ inputsEmbeds, attentionMask: [ids.map(() => 1)] }));
  };
  await using decoding = await start(13);
  expect((await decoding.extend({ ids: [[5]] })).data.every(Number.isFinite)).toBe(true);
  expect((await decoding.extend({ ids: [[6]] })).data.some(Number.isFinite)).toBe(false);
  await using long = await start(15);
  expect((await long.extend({ ids: [[6]] })).data.every(Number.isFinite)).toBe(true);
});

test.each(Object.entries(MUTANTS))('%s: is noticed', async (_, { of, file = 'decoder_model_merged', edit }) => {
  const model = await decodeModel(await readFile(join(folder, of, `${file}.onnx`)));
  if (model.graph) edit(model.graph);
  const changed = `${file}-changed`;
  await writeFile(join(folder, of, `${changed}.onnx`), await encodeModel(model));
  await using mutant = await (file === 'encoder_model' ? open(of, undefined, changed) : open(of, changed));
  const noticed = await logitsOf(mutant).then(
    (logits) => difference(logits, of) > 10 * TOLERANCE,
    () => true,
  );
  expect(noticed).toBe(true);
});
