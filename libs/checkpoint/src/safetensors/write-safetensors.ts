import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

import { MAX_HEADER_BYTES, MAX_TENSORS, type PendingFile, syncFolder, writeAll, writePending } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { isTensorName, LENGTH_BYTES } from './header.ts';
import { byteCount, ELEMENT_BYTES } from './stored-type.ts';
import type { TensorSource } from './tensor-source.ts';

/** Name, type and shape of a tensor. */
export type TensorLayout = Pick<TensorSource, 'name' | 'dtype' | 'shape'>;

/** Progress of a save. */
export interface WriteProgress {
  readonly stage: 'write';
  /** File name. */
  readonly file: string;
  /** Bytes of tensors written so far, over all files. */
  readonly loaded: number;
  /** Bytes of all tensors. */
  readonly total: number;
}

/** Options of `writeSafetensors`. */
export interface WriteOptions {
  /** The `__metadata__` of the file. Default `{ format: 'pt' }`, which Hugging Face Transformers requires. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
}

/** Marks tensors as PyTorch's row-major ones. Hugging Face Transformers refuses a file without it. */
export const DEFAULT_METADATA: Readonly<Record<string, string>> = { format: 'pt' };

/** Tensor data starts at a multiple of this, in bytes, so that every element type is aligned. */
const ALIGNMENT = 8;

/**
 * Size of a tensor in bytes.
 * @throws Blip2Error `INVALID_ARGUMENT` if its shape or name cannot be stored.
 */
export function sourceBytes({ name, dtype, shape }: TensorLayout): number {
  const bytes = byteCount(dtype, shape);
  if (bytes !== undefined && shape.every((axis) => Number.isSafeInteger(axis) && axis >= 0) && isTensorName(name))
    return bytes;
  throw new Blip2Error('INVALID_ARGUMENT', 'The name or shape of a tensor cannot be stored', {
    expected: 'a printable name and a shape of non-negative integers',
    got: `[${shape.join(', ')}]`,
    where: JSON.stringify(name),
    fix: 'Correct the tensor source',
  });
}

/**
 * Writes one safetensors file. It is streamed to a temporary name, synced and renamed, so that `file` is either
 * unchanged or complete, and memory use is a few MB. Tensors are stored in the given order, wider elements first. On
 * failure nothing is left.
 * @throws Blip2Error `INVALID_ARGUMENT` (names, shapes, wrong number of bytes), `WRITE_FAILED`; the signal's reason;
 * whatever a source throws.
 */
export async function writeSafetensors(
  file: string,
  sources: Iterable<TensorSource>,
  options: WriteOptions = {},
): Promise<void> {
  const all = [...sources];
  const total = all.reduce((sum, source) => sum + sourceBytes(source), 0);
  const pending = await writePendingSafetensors(file, all, { ...options, loaded: 0, total });
  await commitOrDiscard(pending);
  await syncFolder(dirname(file));
}

async function commitOrDiscard(pending: PendingFile): Promise<void> {
  try {
    await pending.commit();
  } catch (error) {
    await pending.discard();
    throw error;
  }
}

/**
 * Writes a safetensors file under a temporary name. `loaded` and `total` are bytes of the whole save.
 * @throws Blip2Error as `writeSafetensors`.
 */
export async function writePendingSafetensors(
  file: string,
  sources: readonly TensorSource[],
  options: WriteOptions & { readonly loaded: number; readonly total: number },
): Promise<PendingFile> {
  const ordered = sources.toSorted((a, b) => ELEMENT_BYTES[b.dtype] - ELEMENT_BYTES[a.dtype]);
  const head = encodeHeader(ordered, options.metadata ?? DEFAULT_METADATA, file);
  options.signal?.throwIfAborted();
  return writePending(file, async (handle) => {
    await writeAll(handle, head, file);
    let { loaded } = options;
    for (const source of ordered) {
      await writeTensor(handle, source, file, options, (bytes) => {
        loaded += bytes;
        options.onProgress?.({ stage: 'write', file: basename(file), loaded, total: options.total });
      });
    }
  });
}

async function writeTensor(
  handle: FileHandle,
  source: TensorSource,
  file: string,
  { signal }: WriteOptions,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const expected = sourceBytes(source);
  let written = 0;
  for await (const chunk of source.chunks(signal)) {
    signal?.throwIfAborted();
    written += chunk.byteLength;
    if (written > expected) break;
    await writeAll(handle, chunk, file);
    onBytes(chunk.byteLength);
  }
  if (written === expected) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'The bytes of a tensor do not match its shape', {
    expected: `${expected} bytes`,
    got: written > expected ? 'more' : `${written}`,
    where: source.name,
    fix: 'Correct the tensor source',
  });
}

/**
 * Encodes the length and header of a file with these tensors in this order.
 * @throws Blip2Error `INVALID_ARGUMENT` for a duplicate name or too many tensors.
 */
export function encodeHeader(
  sources: readonly TensorLayout[],
  metadata: Readonly<Record<string, string>>,
  file: string,
): Uint8Array {
  const entries = [`"__metadata__":${JSON.stringify(metadata)}`];
  const names = new Set<string>();
  let offset = 0;
  for (const source of sources) {
    const { name, dtype, shape } = source;
    if (names.has(name))
      throw new Blip2Error('INVALID_ARGUMENT', 'Two tensors have the same name', {
        got: name,
        where: file,
        fix: 'Rename one of them',
      });
    names.add(name);
    const end = offset + sourceBytes(source);
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  const header = new TextEncoder().encode(`{${entries.join(',')}}`);
  const padded = Math.ceil((LENGTH_BYTES + header.byteLength) / ALIGNMENT) * ALIGNMENT - LENGTH_BYTES;
  if (padded > MAX_HEADER_BYTES || names.size > MAX_TENSORS)
    throw new Blip2Error('INVALID_ARGUMENT', 'Too many tensors for one file', {
      expected: `at most ${MAX_TENSORS}`,
      got: `${names.size}`,
      where: file,
      fix: 'Save it as shards with saveCheckpoint',
    });
  const head = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(header, LENGTH_BYTES);
  return head;
}
