/** Reads and edits the external data of initializers in a serialized graph. */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Field numbers of onnx.proto. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_EXTERNAL_DATA = 13;
const ENTRY_KEY = 1;
const ENTRY_VALUE = 2;

/** One entry of a tensor's external data. */
export interface ExternalEntry {
  readonly key: string;
  readonly value: string;
}

/** Total bytes of all external weights. */
export function externalBytes(model: Uint8Array): number {
  let sum = 0;
  mapExternalData(model, ({ key, value }) => {
    if (key === 'length') sum += Number(value);
    return value;
  });
  return sum;
}

/** Replaces values in the external data of initializers. All other bytes of the graph are kept. */
export function mapExternalData(model: Uint8Array, valueOf: (entry: ExternalEntry) => string): Uint8Array {
  const mapEntry = (entry: Uint8Array): Uint8Array => {
    const value = text(entry, ENTRY_VALUE);
    const mapped = valueOf({ key: text(entry, ENTRY_KEY), value });
    return mapped === value ? entry : mapField(entry, ENTRY_VALUE, () => Buffer.from(mapped, 'utf8'));
  };
  return mapField(model, MODEL_GRAPH, (graph) =>
    mapField(graph, GRAPH_INITIALIZER, (tensor) => mapField(tensor, TENSOR_EXTERNAL_DATA, mapEntry)),
  );
}

/** Replaces the bytes of every field `wanted` of a message with the result of `map`. */
function mapField(message: Uint8Array, wanted: number, map: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const reader = new BinaryReader(message);
  const writer = new BinaryWriter();
  while (reader.pos < reader.len) {
    const begin = reader.pos;
    const [field, type] = reader.tag();
    if (field === wanted) {
      writer.tag(field, WireType.LengthDelimited).bytes(map(reader.bytes()));
    } else {
      reader.skip(type, field);
      writer.raw(message.subarray(begin, reader.pos));
    }
  }
  return writer.finish();
}

function text(message: Uint8Array, wanted: number): string {
  let found = '';
  mapField(message, wanted, (bytes) => {
    found = Buffer.from(bytes).toString('utf8');
    return bytes;
  });
  return found;
}
