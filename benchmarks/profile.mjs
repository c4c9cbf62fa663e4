/**
 * Where the time of one caption goes: node benchmarks/profile.mjs [--shape opt-2.7b] [--dtype fast] [--checkpoint
 * FOLDER] [--runs 5]. The runtime's own profile of every graph, the quickest of
 * several runs of each, its operators added up by name, beside the two limits of the machine: how fast it reads memory
 * (bandwidth.mjs), and how fast it multiplies (a product of
 * bytes, and one of floats, as large as the vision encoder's, over and over). Writes results/profile-SHAPE-DTYPE.json.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Blip2 } from '@blip2/blip2';
import { defaultThreads } from '@blip2/runtime';

import { checkpointFolder } from './checkpoint-folder.mjs';
import { machine, versions } from './machine.mjs';

const at = (name) => fileURLToPath(new URL(name, import.meta.url));
const ort = createRequire(at('../libs/runtime/package.json'))('onnxruntime-node');
const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: 'opt-2.7b' },
    dtype: { type: 'string', default: 'fast' },
    checkpoint: { type: 'string' },
    runs: { type: 'string', default: '5' },
    image: { type: 'string', default: at('../examples/photo-size.jpg') },
  },
});
/** Operators that multiply a matrix of weights, and how many numbers one of their products adds up. */
const PRODUCTS = new Set([
  'MatMulIntegerToFloat',
  'MatMulNBits',
  'FusedMatMul',
  'MatMul',
  'Gemm',
  'DynamicQuantizeMatMul',
]);
const folder = mkdtempSync(join(tmpdir(), 'blip2-profile-'));

try {
  const graphs = await profiledCaptions();
  const limits = {
    ...JSON.parse(
      execFileSync(process.execPath, [at('bandwidth.mjs')], { encoding: 'utf8' })
        .trim()
        .split('\n')
        .at(-1),
    ),
    ...(await multiplyRates()),
  };
  const result = {
    command: `node benchmarks/profile.mjs --shape ${options.shape} --dtype ${options.dtype}`,
    machine: machine(),
    versions: versions(),
    limits,
    graphs: graphs.map((graph) => withLimits(graph, limits)),
  };
  const file = at(`results/profile-${options.shape}-${options.dtype}.json`);
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  for (const { name, milliseconds, limitMs, products, operators } of result.graphs)
    console.log(
      name,
      milliseconds,
      'ms; limit',
      limitMs,
      JSON.stringify(products),
      JSON.stringify(operators.slice(0, 8)),
    );
  console.log(JSON.stringify(limits));
} finally {
  rmSync(folder, { recursive: true });
}

/** Captions with sessions that keep the runtime's profile. */
async function profiledCaptions() {
  const sessions = [];
  const threads = await defaultThreads({ weightBytes: () => Infinity });
  const createSession = async (model, { threads } = {}) => {
    const session = await ort.InferenceSession.create(model.serialize(), {
      executionMode: 'sequential',
      enableMemPattern: false,
      logSeverityLevel: 4,
      enableProfiling: true,
      profileFilePrefix: join(folder, `${String(sessions.length).padStart(2, '0')}-${model.name}`),
      ...(threads !== undefined && { intraOpNumThreads: threads }),
      extra: {
        session: {
          'intra_op.spin_duration_us': '1000',
          ...(!model.prepack && { disable_prepacking: '1' }),
          model_external_initializers_file_folder_path: model.weightsFolder,
        },
      },
    });
    sessions.push(session);
    return {
      async run(inputs) {
        const feeds = Object.fromEntries(
          Object.entries(inputs).map(([name, { type, dims, data }]) => [name, new ort.Tensor(type, data, dims)]),
        );
        return Object.fromEntries(
          Object.entries(await session.run(feeds)).map(([name, { type, dims, data }]) => [name, { type, dims, data }]),
        );
      },
      [Symbol.asyncDispose]: () => session.release(),
    };
  };
  const blip2 = await Blip2.fromPretrained(checkpointFolder(options.shape, options.checkpoint), {
    dtype: options.dtype,
    createSession,
    ...(threads !== undefined && { threads }),
  });
  for (let run = 0; run < Number(options.runs); run++)
    await blip2.caption(options.image, { minNewTokens: 10, maxNewTokens: 10 });
  for (const session of sessions) session.endProfiling();
  await blip2.dispose();
  return readdirSync(folder)
    .toSorted()
    .map((name) => quickestRun(name, JSON.parse(readFileSync(join(folder, name), 'utf8'))))
    .filter((graph) => graph !== undefined);
}

function quickestRun(file, events) {
  const runs = events.filter(({ name }) => name === 'model_run');
  if (runs.length === 0) return undefined;
  const run = runs.reduce((best, each) => (each.dur < best.dur ? each : best));
  const kernels = events.filter(
    ({ cat, name, ts }) => cat === 'Node' && name.endsWith('_kernel_time') && ts >= run.ts && ts <= run.ts + run.dur,
  );
  const operators = new Map();
  const products = { milliseconds: 0, multiplications: 0, rows: 0 };
  for (const { dur, args } of kernels) {
    const { op_name: operator, input_type_shape: inputs, output_type_shape: outputs } = args;
    const known = operators.get(operator) ?? { operator, calls: 0, milliseconds: 0 };
    operators.set(operator, { operator, calls: known.calls + 1, milliseconds: known.milliseconds + dur / 1000 });
    if (!PRODUCTS.has(operator)) continue;
    const [states, output] = [Object.values(inputs[0])[0], Object.values(outputs[0])[0]];
    products.milliseconds += dur / 1000;
    products.multiplications += output.reduce((a, b) => a * b, 1) * states.at(-1);
    products.rows = Math.max(
      products.rows,
      output.slice(0, -1).reduce((a, b) => a * b, 1),
    );
  }
  const rounded = [...operators.values()]
    .map((each) => ({ ...each, milliseconds: round(each.milliseconds) }))
    .toSorted((a, b) => b.milliseconds - a.milliseconds);
  return {
    name: file.replace(/^\d+-/, '').replace(/_\d{4}-.*$/, ''),
    runs: runs.length,
    milliseconds: round(run.dur / 1000),
    products: { ...products, milliseconds: round(products.milliseconds) },
    operators: rounded,
  };
}

/** What the products of a graph would take at least: as long as it takes to multiply, or to read each weight once. */
function withLimits({ products, ...graph }, { bandwidthGBs, byteProductsGMACs, floatProductsGMACs }) {
  const weights = products.rows === 0 ? 0 : products.multiplications / products.rows;
  const few = graph.operators.some(({ operator }) => operator === 'MatMulNBits');
  const bytes = graph.operators.some(({ operator }) => operator === 'MatMulIntegerToFloat');
  const bytesPerWeight = few ? 0.5 + 4 / 128 : bytes ? 1 : 4;
  const multiplyMs = products.multiplications / 1e6 / (few || bytes ? byteProductsGMACs : floatProductsGMACs);
  const readMs = (weights * bytesPerWeight) / 1e6 / bandwidthGBs;
  return {
    ...graph,
    products: {
      ...products,
      multiplications: undefined,
      gigaMultiplications: round(products.multiplications / 1e9),
      multiplyMs: round(multiplyMs),
      readMs: round(readMs),
    },
    limitMs: round(Math.max(multiplyMs, readMs)),
  };
}

/** Billions of multiplications per second, best of several, of 257 rows with a matrix of 1408 by 6144. */
async function multiplyRates() {
  const [rows, inner, out] = [257, 1408, 6144];
  const rate = async (operator, type, x, weights) => {
    const session = await ort.InferenceSession.create(productGraph(operator, type, inner, out, weights), {
      executionMode: 'sequential',
      logSeverityLevel: 4,
    });
    let best = Infinity;
    for (let run = 0; run < 40; run++) {
      const begin = performance.now();
      await session.run({ x: new ort.Tensor(type === 'bytes' ? 'uint8' : 'float32', x, [rows, inner]) });
      best = Math.min(best, performance.now() - begin);
    }
    await session.release();
    return Math.round((rows * inner * out) / best / 1e6);
  };
  return {
    byteProductsGMACs: await rate(
      'MatMulIntegerToFloat',
      'bytes',
      new Uint8Array(rows * inner).fill(130),
      new Int8Array(inner * out).map((_, i) => (i * 7919) % 127),
    ),
    floatProductsGMACs: await rate(
      'MatMul',
      'floats',
      new Float32Array(rows * inner).fill(0.5),
      new Float32Array(inner * out).fill(0.25),
    ),
  };
}

/**
 * A model of one product, in the wire format of onnx.proto: the weights are inside, where the runtime may lay them out.
 */
function productGraph(operator, type, inner, out, weights) {
  const varint = (value) => {
    const bytes = [];
    for (let rest = value; ; rest = Math.floor(rest / 128)) {
      if (rest < 128) return Buffer.from([...bytes, rest]);
      bytes.push((rest % 128) | 128);
    }
  };
  const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
  const bytes = (field, value) =>
    Buffer.concat([varint(field * 8 + 2), varint(Buffer.byteLength(value)), Buffer.from(value)]);
  const tensor = (name, dataType, dims, data) =>
    bytes(
      5,
      Buffer.concat([
        ...dims.map((dim) => number(1, dim)),
        number(2, dataType),
        bytes(8, name),
        bytes(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
      ]),
    );
  const value = (name, dataType, dims) =>
    Buffer.concat([
      bytes(1, name),
      bytes(
        2,
        bytes(
          1,
          Buffer.concat([
            number(1, dataType),
            bytes(
              2,
              Buffer.concat(dims.map((dim) => bytes(1, typeof dim === 'number' ? number(1, dim) : bytes(2, dim)))),
            ),
          ]),
        ),
      ),
    ]);
  const [FLOAT, UINT8, INT8, INT64] = [1, 2, 3, 7];
  const isBytes = type === 'bytes';
  const inputs = isBytes ? ['x', 'w', 'one', 'scales', 'zero'] : ['x', 'w'];
  const graph = Buffer.concat([
    bytes(
      1,
      Buffer.concat([
        ...inputs.map((name) => bytes(1, name)),
        bytes(2, 'all'),
        bytes(4, operator),
        ...(isBytes ? [bytes(7, 'com.microsoft')] : []),
      ]),
    ),
    // One row only: the runtime copies what it gives back.
    bytes(1, Buffer.concat([bytes(1, 'all'), bytes(1, 'first'), bytes(2, 'y'), bytes(4, 'Gather')])),
    bytes(2, 'product'),
    tensor('w', isBytes ? INT8 : FLOAT, [inner, out], weights),
    tensor('first', INT64, [1], BigInt64Array.of(0n)),
    ...(isBytes
      ? [
          tensor('one', FLOAT, [], Float32Array.of(1)),
          tensor('scales', FLOAT, [out], new Float32Array(out).fill(0.01)),
          tensor('zero', UINT8, [], Uint8Array.of(128)),
        ]
      : []),
    bytes(11, value('x', isBytes ? UINT8 : FLOAT, ['rows', inner])),
    bytes(12, value('y', FLOAT, [1, out])),
  ]);
  const opset = (domain, version) => bytes(8, Buffer.concat([bytes(1, domain), number(2, version)]));
  return Buffer.concat([number(1, 10), bytes(7, graph), opset('', 21), opset('com.microsoft', 1)]);
}

function round(value) {
  return Math.round(value * 10) / 10;
}
