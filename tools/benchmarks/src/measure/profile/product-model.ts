/** The element types of a product: uint8 by int8, or float32 by float32. */
export type ProductType = 'bytes' | 'floats';

/** The weight matrix is `[inner, outer]`. */
export interface ProductShape {
  readonly inner: number;
  readonly outer: number;
}

/** `TensorProto.DataType`. */
const DATA_TYPE = { float: 1, uint8: 2, int8: 3, int64: 7 } as const;
const IR_VERSION = 10;
const OPSET = 21;
const RUNTIME_DOMAIN = 'com.microsoft';

/**
 * An ONNX model of one product, `x [rows, inner]` to `y [1, outer]`, in the wire format of onnx.proto. The weights are
 * inside the model, where onnxruntime can prepack them. Only the first row is returned, since outputs are copied.
 */
export function productModel(
  type: ProductType,
  { inner, outer }: ProductShape,
  weights: Int8Array | Float32Array,
): Uint8Array {
  const isBytes = type === 'bytes';
  const quantization = isBytes
    ? [
        tensor('one', DATA_TYPE.float, [], Float32Array.of(1)),
        tensor('scales', DATA_TYPE.float, [outer], new Float32Array(outer).fill(0.01)),
        tensor('zero', DATA_TYPE.uint8, [], Uint8Array.of(128)),
      ]
    : [];
  const product = isBytes
    ? node('MatMulIntegerToFloat', ['x', 'w', 'one', 'scales', 'zero'], 'all', RUNTIME_DOMAIN)
    : node('MatMul', ['x', 'w'], 'all');
  const graph = [
    field(1, [product]),
    field(1, [node('Gather', ['all', 'first'], 'y')]),
    field(2, 'product'),
    tensor('w', isBytes ? DATA_TYPE.int8 : DATA_TYPE.float, [inner, outer], weights),
    tensor('first', DATA_TYPE.int64, [1], BigInt64Array.of(0n)),
    ...quantization,
    field(11, [valueInfo('x', isBytes ? DATA_TYPE.uint8 : DATA_TYPE.float, ['rows', inner])]),
    field(12, [valueInfo('y', DATA_TYPE.float, [1, outer])]),
  ];
  return Buffer.concat([number(1, IR_VERSION), field(7, graph), opset('', OPSET), opset(RUNTIME_DOMAIN, 1)]);
}

function node(operator: string, inputs: readonly string[], output: string, domain?: string): Buffer {
  const own = domain === undefined ? [] : [field(7, domain)];
  return Buffer.concat([...inputs.map((name) => field(1, name)), field(2, output), field(4, operator), ...own]);
}

/** `GraphProto.initializer`. */
function tensor(
  name: string,
  dataType: number,
  dims: readonly number[],
  data: Int8Array | Uint8Array | Float32Array | BigInt64Array,
): Buffer {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return field(5, [...dims.map((dim) => number(1, dim)), number(2, dataType), field(8, name), field(9, [bytes])]);
}

function valueInfo(name: string, dataType: number, dims: readonly (number | string)[]): Buffer {
  const shape = dims.map((dim) => field(1, typeof dim === 'number' ? [number(1, dim)] : [field(2, dim)]));
  const tensorType = field(1, [number(1, dataType), field(2, shape)]);
  return Buffer.concat([field(1, name), field(2, [tensorType])]);
}

/** `ModelProto.opset_import`. */
function opset(domain: string, version: number): Buffer {
  return field(8, [field(1, domain), number(2, version)]);
}

/** An integer field. */
function number(tag: number, value: number): Buffer {
  return Buffer.concat([varint(tag * 8), varint(value)]);
}

/** A length-delimited field: a string, bytes, or a message. */
function field(tag: number, content: string | readonly Buffer[]): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.concat(content);
  return Buffer.concat([varint(tag * 8 + 2), varint(bytes.byteLength), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
