import type { StoredTensor } from '@blip2/interfaces';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/**
 * The messages of a graph as plain objects, with the fields of `proto/onnx.proto`, and their writer. Graphs are built
 * in every thread, so that only the wire format of protobuf is loaded here, not its schemas: a third of the modules.
 */

/** An attribute: `type` is an `AttributeProto.AttributeType`, and one of the others holds the value. */
export interface NodeAttribute {
  readonly name: string;
  readonly type: number;
  readonly f?: number;
  readonly i?: bigint;
  readonly s?: Uint8Array;
  readonly ints?: readonly bigint[];
}

export interface GraphNode {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  /** Names of values; `''` for an optional input that is not given. */
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly NodeAttribute[];
}

/** A constant in the graph (`rawData`) or a tensor in a file (`externalData`). */
export interface Initializer {
  readonly name: string;
  readonly dataType: number;
  readonly dims: readonly number[];
  readonly rawData?: Uint8Array;
  /** Entries `location`, `offset` and `length`. */
  readonly externalData?: Readonly<Record<string, string>>;
  /** The tensor in its file, with external data. It is not written. */
  readonly stored?: StoredTensor;
}

/** An input, an output, or an inner value whose axes are declared; an axis is a length or a name. */
export interface ValueInfo {
  readonly name: string;
  readonly elemType: number;
  readonly dims: readonly (number | string)[];
}

export interface GraphMessage {
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly valueInfo: readonly ValueInfo[];
}

export interface ModelMessage {
  readonly irVersion: number;
  readonly producerName: string;
  /** Versions of the operator sets by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly graph: GraphMessage;
}

/** `TensorProto.DataLocation.EXTERNAL`. */
const EXTERNAL = 1;

/** Serializes a model. The bytes are those of `encodeModel` for the same message. */
export function writeModel({ irVersion, producerName, opsets, graph }: ModelMessage): Uint8Array {
  const writer = new BinaryWriter();
  integer(writer, 1, irVersion);
  text(writer, 2, producerName);
  message(writer, 7, () => {
    for (const node of graph.nodes) message(writer, 1, () => writeNode(writer, node));
    text(writer, 2, graph.name);
    for (const tensor of graph.initializers) message(writer, 5, () => writeInitializer(writer, tensor));
    for (const info of graph.inputs) message(writer, 11, () => writeValueInfo(writer, info));
    for (const info of graph.outputs) message(writer, 12, () => writeValueInfo(writer, info));
    for (const info of graph.valueInfo) message(writer, 13, () => writeValueInfo(writer, info));
  });
  for (const [domain, version] of Object.entries(opsets)) {
    message(writer, 8, () => {
      text(writer, 1, domain);
      integer(writer, 2, version);
    });
  }
  return writer.finish();
}

function writeNode(writer: BinaryWriter, { name, opType, domain, input, output, attribute }: GraphNode): void {
  for (const value of input) text(writer, 1, value);
  for (const value of output) text(writer, 2, value);
  text(writer, 3, name);
  text(writer, 4, opType);
  for (const each of attribute) message(writer, 5, () => writeAttribute(writer, each));
  text(writer, 7, domain);
}

function writeAttribute(writer: BinaryWriter, { name, type, f, i, s, ints = [] }: NodeAttribute): void {
  text(writer, 1, name);
  if (f !== undefined) writer.tag(2, WireType.Bit32).float(f);
  if (i !== undefined) integer(writer, 3, i);
  if (s !== undefined) bytes(writer, 4, s);
  for (const value of ints) integer(writer, 8, value);
  integer(writer, 20, type);
}

function writeInitializer(writer: BinaryWriter, { name, dataType, dims, rawData, externalData }: Initializer): void {
  for (const dim of dims) integer(writer, 1, dim);
  integer(writer, 2, dataType);
  text(writer, 8, name);
  if (rawData) bytes(writer, 9, rawData);
  if (!externalData) return;
  for (const [key, value] of Object.entries(externalData)) {
    message(writer, 13, () => {
      text(writer, 1, key);
      text(writer, 2, value);
    });
  }
  integer(writer, 14, EXTERNAL);
}

function writeValueInfo(writer: BinaryWriter, { name, elemType, dims }: ValueInfo): void {
  const writeDim = (dim: number | string): void => {
    if (typeof dim === 'number') integer(writer, 1, dim);
    else text(writer, 2, dim);
  };
  const writeTensorType = (): void => {
    integer(writer, 1, elemType);
    message(writer, 2, () => dims.forEach((dim) => message(writer, 1, () => writeDim(dim))));
  };
  text(writer, 1, name);
  message(writer, 2, () => message(writer, 1, writeTensorType));
}

function message(writer: BinaryWriter, field: number, body: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  body();
  writer.join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function bytes(writer: BinaryWriter, field: number, value: Uint8Array): void {
  writer.tag(field, WireType.LengthDelimited).bytes(value);
}

function integer(writer: BinaryWriter, field: number, value: number | bigint): void {
  writer.tag(field, WireType.Varint).int64(value);
}
