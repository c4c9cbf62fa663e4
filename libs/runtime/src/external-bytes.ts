/** What a written graph says of the weights that lie outside it. */
import { BinaryReader } from '@bufbuild/protobuf/wire';

/** Field numbers of onnx.proto. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_EXTERNAL_DATA = 13;
const ENTRY_KEY = 1;
const ENTRY_VALUE = 2;

/** Bytes of all weights that lie outside the graph. */
export function externalBytes(model: Uint8Array): number {
  const tensors = messages(model, MODEL_GRAPH).flatMap((graph) => messages(graph, GRAPH_INITIALIZER));
  const entries = tensors.flatMap((tensor) => messages(tensor, TENSOR_EXTERNAL_DATA));
  return entries
    .filter((entry) => text(entry, ENTRY_KEY) === 'length')
    .reduce((sum, entry) => sum + Number(text(entry, ENTRY_VALUE)), 0);
}

/** Every message in field `wanted` of a message. */
function messages(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted) found.push(reader.bytes());
    else reader.skip(type, field);
  }
  return found;
}

function text(bytes: Uint8Array, wanted: number): string {
  return messages(bytes, wanted)
    .map((value) => Buffer.from(value).toString('utf8'))
    .join('');
}
