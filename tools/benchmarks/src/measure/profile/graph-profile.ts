/** An event of onnxruntime's profile. Times are in microseconds. */
export interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: {
    readonly op_name: string;
    readonly input_type_shape: readonly Readonly<Record<string, readonly number[]>>[];
    readonly output_type_shape: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

interface OperatorTime {
  readonly operator: string;
  readonly calls: number;
  readonly milliseconds: number;
}

/** Where the time of a graph's fastest run goes. */
export interface GraphProfile {
  readonly name: string;
  readonly runs: number;
  readonly milliseconds: number;
  /** All products with weight matrices: time, multiplications, and the largest number of rows. */
  readonly products: { readonly milliseconds: number; readonly multiplications: number; readonly rows: number };
  /** Slowest first. */
  readonly operators: readonly OperatorTime[];
}

/** Limits of the machine: memory bandwidth, and billions of multiplications per second. */
export interface MachineLimits {
  readonly bandwidthGBs: number;
  readonly byteProductsGMACs: number;
  readonly floatProductsGMACs: number;
}

/** Operators that multiply by a matrix of weights. */
const PRODUCTS = new Set([
  'MatMulIntegerToFloat',
  'MatMulNBits',
  'FusedMatMul',
  'MatMul',
  'Gemm',
  'DynamicQuantizeMatMul',
]);

/** The fastest run in a profile; undefined if the graph was never run. */
export function fastestRun(file: string, events: readonly ProfileEvent[]): GraphProfile | undefined {
  const runs = events.filter(({ name }) => name === 'model_run');
  if (runs.length === 0) return undefined;
  const run = runs.reduce((best, each) => (each.dur < best.dur ? each : best));
  const kernels = events.filter(
    ({ cat, name, ts }) => cat === 'Node' && name.endsWith('_kernel_time') && ts >= run.ts && ts <= run.ts + run.dur,
  );
  return {
    name: file.replace(/^\d+-/, '').replace(/_\d{4}-.*$/, ''),
    runs: runs.length,
    milliseconds: tenth(run.dur / 1000),
    products: productsOf(kernels),
    operators: operatorsOf(kernels),
  };
}

function operatorsOf(kernels: readonly ProfileEvent[]): readonly OperatorTime[] {
  const operators = new Map<string, OperatorTime>();
  for (const { dur, args } of kernels) {
    const operator = args?.op_name ?? '';
    const { calls, milliseconds } = operators.get(operator) ?? { calls: 0, milliseconds: 0 };
    operators.set(operator, { operator, calls: calls + 1, milliseconds: milliseconds + dur / 1000 });
  }
  return [...operators.values()]
    .map((each) => ({ ...each, milliseconds: tenth(each.milliseconds) }))
    .toSorted((a, b) => b.milliseconds - a.milliseconds);
}

function productsOf(kernels: readonly ProfileEvent[]): GraphProfile['products'] {
  let [milliseconds, multiplications, rows] = [0, 0, 0];
  for (const { dur, args } of kernels) {
    if (args === undefined || !PRODUCTS.has(args.op_name)) continue;
    const input = firstShape(args.input_type_shape);
    const output = firstShape(args.output_type_shape);
    milliseconds += dur / 1000;
    multiplications += size(output) * (input.at(-1) ?? 1);
    rows = Math.max(rows, size(output.slice(0, -1)));
  }
  return { milliseconds: tenth(milliseconds), multiplications, rows };
}

function firstShape(shapes: readonly Readonly<Record<string, readonly number[]>>[]): readonly number[] {
  return Object.values(shapes[0] ?? {})[0] ?? [];
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Adds the lower bound of the products' time: the time to multiply, or to read each weight once. */
export function withLimits(graph: GraphProfile, limits: MachineLimits): LimitedProfile {
  const { milliseconds, multiplications, rows } = graph.products;
  const weights = rows === 0 ? 0 : multiplications / rows;
  const has = (name: string): boolean => graph.operators.some(({ operator }) => operator === name);
  const [isBlocks, isBytes] = [has('MatMulNBits'), has('MatMulIntegerToFloat')];
  const bytesPerWeight = isBlocks ? 0.5 + 4 / 128 : isBytes ? 1 : 4;
  const rate = isBlocks || isBytes ? limits.byteProductsGMACs : limits.floatProductsGMACs;
  const multiplyMs = multiplications / 1e6 / rate;
  const readMs = (weights * bytesPerWeight) / 1e6 / limits.bandwidthGBs;
  return {
    ...graph,
    products: {
      milliseconds,
      rows,
      gigaMultiplications: tenth(multiplications / 1e9),
      multiplyMs: tenth(multiplyMs),
      readMs: tenth(readMs),
    },
    limitMs: tenth(Math.max(multiplyMs, readMs)),
  };
}

/** A profile with its lower bound. */
export interface LimitedProfile extends Omit<GraphProfile, 'products'> {
  readonly products: Readonly<Record<string, number>>;
  readonly limitMs: number;
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}
