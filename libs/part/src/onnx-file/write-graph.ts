import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { storedTensorSource } from '@blip2/checkpoint';
import { makeFolder, wrapWriteErrors, writeAll } from '@blip2/files';
import type { GraphTarget, StoredTensor } from '@blip2/interfaces';
import { type Initializer, writeModel, type WrittenModel } from '@blip2/onnx';

/** Alignment of tensors in a file of weights: a page, so that a runtime can map them. */
const ALIGNMENT = 4096;
/** Tensors below this size are aligned to a cache line only. */
const SMALL_BYTES = 65_536;
const SMALL_ALIGNMENT = 64;
/** What transformers.js appends to the name of a graph's file to find its weights. */
export const DATA_SUFFIX = '_data';

/** Where a tensor lies in a file of weights. */
interface Placed {
  readonly stored: StoredTensor;
  readonly offset: number;
}

export interface WrittenGraph {
  /** Bytes of graph and weights. */
  readonly bytes: number;
  /** Whether the graph has weights in a file of their own. */
  readonly hasData: boolean;
}

export interface WriteGraphOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes of weights written so far, and all. */
  readonly onProgress?: ((loaded: number, total: number) => void) | undefined;
}

/**
 * Writes a graph, and its weights to a second file next to it. Weights are streamed, each stored tensor once; the file
 * of the graph holds the structure and small constants.
 * @throws Blip2Error `WRITE_FAILED`; `MODEL_CHANGED` if a file of the checkpoint changed meanwhile; the codes of the
 * target.
 */
export async function writeGraph(
  file: string,
  model: WrittenModel,
  target: GraphTarget,
  { signal, onProgress }: WriteGraphOptions = {},
): Promise<WrittenGraph> {
  const message = model.message(target);
  const placed = placeTensors(message.graph.initializers);
  const tensors = [...placed.values()];
  const last = tensors.at(-1);
  const total = last ? last.offset + last.stored.byteLength : 0;
  const location = `${basename(file)}${DATA_SUFFIX}`;
  const initializers = message.graph.initializers.map((tensor): Initializer => {
    const place = tensor.stored && placed.get(placeKey(tensor.stored));
    return place ? { ...tensor, externalData: entries(location, place) } : tensor;
  });
  const bytes = writeModel({ ...message, graph: { ...message.graph, initializers } });
  await wrapWriteErrors(dirname(file), makeFolder(dirname(file)));
  await writeFile(file, async function* graph() {
    yield bytes;
  });
  if (tensors.length > 0)
    await writeFile(
      join(dirname(file), location),
      () => tensorBytes(tensors, signal),
      (loaded) => onProgress?.(loaded, total),
    );
  return { bytes: bytes.byteLength + total, hasData: tensors.length > 0 };
}

function entries(location: string, { offset, stored }: Placed): Record<string, string> {
  return { location, offset: String(offset), length: String(stored.byteLength) };
}

function placeKey({ file, byteOffset, byteLength }: StoredTensor): string {
  return `${file}\0${byteOffset}\0${byteLength}`;
}

/** Gives every stored tensor a place of its own, in the order of the graph. */
function placeTensors(initializers: readonly Initializer[]): Map<string, Placed> {
  const placed = new Map<string, Placed>();
  let end = 0;
  for (const { stored } of initializers) {
    if (!stored || placed.has(placeKey(stored))) continue;
    const alignment = stored.byteLength < SMALL_BYTES ? SMALL_ALIGNMENT : ALIGNMENT;
    const offset = Math.ceil(end / alignment) * alignment;
    placed.set(placeKey(stored), { stored, offset });
    end = offset + stored.byteLength;
  }
  return placed;
}

async function* tensorBytes(tensors: readonly Placed[], signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  let written = 0;
  for (const { stored, offset } of tensors) {
    if (offset > written) yield new Uint8Array(offset - written);
    yield* storedTensorSource(stored).chunks(signal);
    written = offset + stored.byteLength;
  }
}

async function writeFile(
  file: string,
  chunks: () => AsyncIterable<Uint8Array>,
  onWritten?: (bytes: number) => void,
): Promise<void> {
  const handle = await wrapWriteErrors(file, open(file, 'wx'));
  try {
    let written = 0;
    for await (const chunk of chunks()) {
      await writeAll(handle, chunk, file);
      written += chunk.byteLength;
      onWritten?.(written);
    }
    await wrapWriteErrors(file, handle.sync());
  } finally {
    await handle.close();
  }
}
