/** The graphs that are timed to find the number of threads: a few products in a row, over floats and over bytes. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Rows and columns of the weight. */
export const PRODUCT_SIZE = 1024;
/** Products in a row, as between them threads wait for work. */
const PRODUCTS = 4;
/** Columns of the result, which is copied by one thread. */
export const RESULT_SIZE = 8;

/** Numbers of onnx.proto: versions, types of elements. */
const IR_VERSION = 10;
const OPSET = 21;
const RUNTIME_DOMAIN = 'com.microsoft';
const FLOAT = 1;
const INT8 = 3;

/** `y = x · W · W · W · W · V` over float32; `x` is `[rows, 1024]`, `y` is `[rows, 8]`. */
export function floatProducts(): Uint8Array {
  // Each product is the mean of a row: no number grows, or shrinks to where kernels are slow.
  const weight = new Float32Array(PRODUCT_SIZE ** 2).fill(1 / PRODUCT_SIZE);
  return writeModel({ operator: 'MatMul', weights: [tensor('W', FLOAT, [PRODUCT_SIZE, PRODUCT_SIZE], weight)] });
}

/** The same with products of bytes but the last: the kernel of `int8` and `fast`. */
export function byteProducts(): Uint8Array {
  const weight = new Int8Array(PRODUCT_SIZE ** 2).fill(1);
  return writeModel({
    operator: 'DynamicQuantizeMatMul',
    domain: RUNTIME_DOMAIN,
    weights: [
      tensor('W', INT8, [PRODUCT_SIZE, PRODUCT_SIZE], weight),
      tensor('scale', FLOAT, [1], Float32Array.of(1 / PRODUCT_SIZE)),
    ],
  });
}

interface NamedTensor {
  readonly name: string;
  readonly proto: Uint8Array;
}

interface ProductGraph {
  readonly operator: string;
  readonly domain?: string;
  readonly weights: readonly NamedTensor[];
}

/** A message from its fields, numbered as in onnx.proto: numbers are varints, texts and bytes have a length. */
function message(...fields: readonly (readonly [field: number, value: number | string | Uint8Array])[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [field, value] of fields) {
    if (typeof value === 'number') writer.tag(field, WireType.Varint).uint64(value);
    else if (typeof value === 'string') writer.tag(field, WireType.LengthDelimited).string(value);
    else writer.tag(field, WireType.LengthDelimited).bytes(value);
  }
  return writer.finish();
}

function tensor(name: string, type: number, dims: readonly number[], data: Float32Array | Int8Array): NamedTensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, proto: message(...dims.map((dim) => [1, dim] as const), [2, type], [8, name], [9, bytes]) };
}

interface Node {
  readonly inputs: readonly string[];
  readonly output: string;
  readonly operator: string;
  readonly domain?: string;
}

function node({ inputs, output, operator, domain = '' }: Node): Uint8Array {
  return message(...inputs.map((input) => [1, input] as const), [2, output], [4, operator], [7, domain]);
}

function writeModel({ operator, domain = '', weights }: ProductGraph): Uint8Array {
  const names = ['x', ...Array.from({ length: PRODUCTS }, (_, at) => `h${at}`)];
  const products = names.slice(1).map((output, at) => {
    const inputs = [names[at] ?? '', ...weights.map(({ name }) => name)];
    return node({ inputs, output, operator, domain });
  });
  const last = new Float32Array(PRODUCT_SIZE * RESULT_SIZE).fill(1 / PRODUCT_SIZE);
  const initializers = [...weights, tensor('V', FLOAT, [PRODUCT_SIZE, RESULT_SIZE], last)];
  const nodes = [...products, node({ inputs: [names.at(-1) ?? '', 'V'], output: 'y', operator: 'MatMul' })];
  const graph = message(
    ...nodes.map((each) => [1, each] as const),
    [2, 'products'],
    ...initializers.map(({ proto }) => [5, proto] as const),
    [11, valueInfo('x', PRODUCT_SIZE)],
    [12, valueInfo('y', RESULT_SIZE)],
  );
  return message(
    [1, IR_VERSION],
    [7, graph],
    [8, message([1, ''], [2, OPSET])],
    [8, message([1, RUNTIME_DOMAIN], [2, 1])],
  );
}

function valueInfo(name: string, columns: number): Uint8Array {
  const shape = message([1, message([2, 'rows'])], [1, message([1, columns])]);
  return message([1, name], [2, message([1, message([1, FLOAT], [2, shape])])]);
}
