/** The graphs that are timed to choose numbers of threads: chains of products, and one product without reuse. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Rows and columns of the weight of chains over many rows. */
export const PRODUCT_SIZE = 1024;
/** Rows and columns of the weight of chains over few rows: as many operations per operator as in a language model. */
export const DECODE_SIZE = 2048;
/** Products in a chain; threads wait for work between them. */
export const PRODUCTS = 4;
/** Columns of the result, which a single thread copies. */
export const RESULT_SIZE = 8;
/** Rows and columns of the weight that is read from memory: 64 MiB of float32, more than most caches hold. */
export const READ_SHAPE = [1024, 16_384] as const;
/** Weights per scale in the 4-bit graph, as in converted weights. */
const BLOCK_SIZE = 128;

/** Versions and element types of onnx.proto. */
const IR_VERSION = 10;
const OPSET = 21;
const RUNTIME_DOMAIN = 'com.microsoft';
const FLOAT = 1;
const UINT8 = 2;
const INT8 = 3;
/** `AttributeProto.AttributeType.INT`. */
const INT_ATTRIBUTE = 2;

/** `y = x · W · W · W · W · V` over float32; `x` is `[rows, 1024]`, `y` is `[rows, 8]`. */
export function floatProducts(): Uint8Array {
  // Each product is the mean of a row, so that numbers neither grow nor become denormal, where kernels are slow.
  const weight = new Float32Array(PRODUCT_SIZE ** 2).fill(1 / PRODUCT_SIZE);
  return chain(PRODUCT_SIZE, {
    operator: 'MatMul',
    weights: [tensor('W', FLOAT, [PRODUCT_SIZE, PRODUCT_SIZE], weight)],
  });
}

/** The same chain with int8 products except for the last: the kernel of `int8`, and of `fast` for many rows. */
export function byteProducts(size: number = PRODUCT_SIZE): Uint8Array {
  return chain(size, {
    operator: 'DynamicQuantizeMatMul',
    domain: RUNTIME_DOMAIN,
    weights: [
      tensor('W', INT8, [size, size], new Int8Array(size ** 2).fill(1)),
      tensor('scale', FLOAT, [1], Float32Array.of(1 / size)),
    ],
  });
}

/** The same chain over 4-bit blocks: the kernel of `q4`, and of `fast` for few rows. */
export function blockProducts(size: number = DECODE_SIZE): Uint8Array {
  const blocks = size / BLOCK_SIZE;
  return chain(size, {
    operator: 'MatMulNBits',
    domain: RUNTIME_DOMAIN,
    weights: [
      // Two weights per byte. 9 stands for 1, since the zero point is 8.
      tensor('W', UINT8, [size, blocks, BLOCK_SIZE / 2], new Uint8Array(size * blocks * (BLOCK_SIZE / 2)).fill(0x99)),
      tensor('scale', FLOAT, [size * blocks], new Float32Array(size * blocks).fill(1 / size)),
    ],
    attributes: { K: size, N: size, bits: 4, block_size: BLOCK_SIZE, accuracy_level: 4 },
  });
}

/** `y = x · w`, where the weight is an input that is not copied: what one token reads from memory. */
export function readProduct(): Uint8Array {
  const [inner, columns] = READ_SHAPE;
  return model({
    nodes: [node({ inputs: ['x', 'w'], output: 'y', operator: 'MatMul' })],
    initializers: [],
    inputs: [valueInfo('x', [1, inner]), valueInfo('w', [inner, columns])],
    output: valueInfo('y', [1, columns]),
  });
}

interface NamedTensor {
  readonly name: string;
  readonly proto: Uint8Array;
}

interface Product {
  readonly operator: string;
  readonly domain?: string;
  readonly weights: readonly NamedTensor[];
  readonly attributes?: Readonly<Record<string, number>>;
}

/**
 * Encodes a message from its fields, numbered as in onnx.proto: numbers as varints, strings and bytes with a length.
 */
function message(...fields: readonly (readonly [field: number, value: number | string | Uint8Array])[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [field, value] of fields) {
    if (typeof value === 'number') writer.tag(field, WireType.Varint).uint64(value);
    else if (typeof value === 'string') writer.tag(field, WireType.LengthDelimited).string(value);
    else writer.tag(field, WireType.LengthDelimited).bytes(value);
  }
  return writer.finish();
}

function tensor(
  name: string,
  type: number,
  dims: readonly number[],
  data: Float32Array | Int8Array | Uint8Array,
): NamedTensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, proto: message(...dims.map((dim) => [1, dim] as const), [2, type], [8, name], [9, bytes]) };
}

interface Node {
  readonly inputs: readonly string[];
  readonly output: string;
  readonly operator: string;
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, number>>;
}

function node({ inputs, output, operator, domain = '', attributes = {} }: Node): Uint8Array {
  return message(
    ...inputs.map((input) => [1, input] as const),
    [2, output],
    [4, operator],
    ...Object.entries(attributes).map(
      ([name, value]) => [5, message([1, name], [3, value], [20, INT_ATTRIBUTE])] as const,
    ),
    [7, domain],
  );
}

function chain(size: number, { weights, ...product }: Product): Uint8Array {
  const names = ['x', ...Array.from({ length: PRODUCTS }, (_, at) => `h${at}`)];
  const products = names.slice(1).map((output, at) => {
    const inputs = [names[at] ?? '', ...weights.map(({ name }) => name)];
    return node({ ...product, inputs, output });
  });
  const last = new Float32Array(size * RESULT_SIZE).fill(1 / size);
  return model({
    nodes: [...products, node({ inputs: [names.at(-1) ?? '', 'V'], output: 'y', operator: 'MatMul' })],
    initializers: [...weights, tensor('V', FLOAT, [size, RESULT_SIZE], last)],
    inputs: [valueInfo('x', ['rows', size])],
    output: valueInfo('y', ['rows', RESULT_SIZE]),
  });
}

interface GraphParts {
  readonly nodes: readonly Uint8Array[];
  readonly initializers: readonly NamedTensor[];
  readonly inputs: readonly Uint8Array[];
  readonly output: Uint8Array;
}

function model({ nodes, initializers, inputs, output }: GraphParts): Uint8Array {
  const graph = message(
    ...nodes.map((each) => [1, each] as const),
    [2, 'products'],
    ...initializers.map(({ proto }) => [5, proto] as const),
    ...inputs.map((each) => [11, each] as const),
    [12, output],
  );
  return message(
    [1, IR_VERSION],
    [7, graph],
    [8, message([1, ''], [2, OPSET])],
    [8, message([1, RUNTIME_DOMAIN], [2, 1])],
  );
}

/** Dimensions are numbers, or names of any size. */
function valueInfo(name: string, dims: readonly (number | string)[]): Uint8Array {
  const shape = message(
    ...dims.map((dim) => [1, typeof dim === 'number' ? message([1, dim]) : message([2, dim])] as const),
  );
  return message([1, name], [2, message([1, message([1, FLOAT], [2, shape])])]);
}
