import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';

import { encodeHeader, openCheckpoint, readTensor, type TensorSource } from '@blip2/checkpoint';
import { makeFolder, SINGLE_FILE, wrapWriteErrors } from '@blip2/files';
import { isError, mustBe } from '@blip2/interfaces';

/** Values that are saved with the tensors. */
export type StateValues = Readonly<Record<string, number>>;

/** The state of a run: tensors by name, and numbers. */
export interface SavedState {
  readonly values: StateValues;
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

/** A tensor of a state. */
export interface StateTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Bytes of the values in a header, whose length must not change between two saves. */
const VALUES_LENGTH = 1024;
const SLOTS = ['state-a', 'state-b'] as const;
/** Bytes of a tensor that are hashed and written at once, so that the thread can do other work in between. */
const PIECE = 2 ** 24;

/**
 * Saves states in two files by turns. Each is overwritten where it lies: a disk that has become full does not matter,
 * since the first two saves take all the space. While one is written, the other is complete; a digest tells which.
 */
export interface StateSlots {
  /**
   * Writes a state over the older one.
   * @throws Blip2Error `WRITE_FAILED`.
   */
  save(values: StateValues, tensors: readonly StateTensor[]): Promise<void>;
}

/** @param next The slot that the next save writes, 0 or 1. */
export function createStateSlots(folder: string, next: number): StateSlots {
  let turn = next;
  return {
    async save(values, tensors) {
      const slot = join(folder, SLOTS[turn % SLOTS.length] ?? SLOTS[0]);
      await wrapWriteErrors(slot, makeFolder(slot));
      await writeState(join(slot, SINGLE_FILE), values, tensors);
      turn++;
    },
  };
}

async function writeState(file: string, values: StateValues, tensors: readonly StateTensor[]): Promise<void> {
  const handle = await wrapWriteErrors(
    file,
    open(file, 'r+').catch(() => open(file, 'w+')),
  );
  try {
    const text = JSON.stringify(values).padEnd(VALUES_LENGTH);
    if (text.length > VALUES_LENGTH) throw mustBe('values', `at most ${VALUES_LENGTH} characters`, text.length);
    const hash = createHash('sha256').update(text);
    const layouts = tensors.map(({ name, dims }) => ({ name, dtype: 'F32', shape: dims }) as const);
    const head = (digest: string): Uint8Array => encodeHeader(layouts, { format: 'pt', values: text, digest }, file);
    let position = head('0'.repeat(64)).byteLength;
    for (const { data } of tensors) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let done = 0; done < bytes.byteLength; done += PIECE) {
        const piece = bytes.subarray(done, done + PIECE);
        hash.update(piece);
        await writeAt(handle, piece, position, file);
        position += piece.byteLength;
      }
    }
    await wrapWriteErrors(file, handle.datasync());
    await writeAt(handle, head(hash.digest('hex')), 0, file);
    await wrapWriteErrors(file, handle.sync());
  } finally {
    await handle.close();
  }
}

async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number, file: string): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await wrapWriteErrors(
      file,
      handle.write(bytes, done, bytes.byteLength - done, position + done),
    );
    done += bytesWritten;
  }
}

/** A state that was read, and the slot that the next save overwrites. */
export interface FoundState extends SavedState {
  readonly nextSlot: number;
}

/** The newer of the complete states in a folder, by the value `step`; undefined if there is none. */
export async function readState(folder: string): Promise<FoundState | undefined> {
  const found: FoundState[] = [];
  for (const [index, slot] of SLOTS.entries()) {
    const state = await readSlot(join(folder, slot));
    if (state) found.push({ ...state, nextSlot: (index + 1) % SLOTS.length });
  }
  const [newest] = found.toSorted((a, b) => (b.values['step'] ?? 0) - (a.values['step'] ?? 0));
  return newest;
}

/** The state in a slot; undefined if it is absent, or was not written completely. */
async function readSlot(folder: string): Promise<SavedState | undefined> {
  try {
    const { tensors: stored, metadata } = await openCheckpoint(folder);
    const text = metadata.get('values') ?? '';
    const hash = createHash('sha256').update(text);
    const tensors = new Map<string, Float32Array>();
    const inOrder = [...stored.values()].toSorted((a, b) => a.byteOffset - b.byteOffset);
    for (const tensor of inOrder) {
      const { data } = await readTensor(tensor);
      if (!(data instanceof Float32Array)) return undefined;
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      tensors.set(tensor.name, data);
    }
    if (hash.digest('hex') !== metadata.get('digest')) return undefined;
    return { values: numbersIn(text), tensors };
  } catch (error) {
    if (isError(error)) return undefined;
    throw error;
  }
}

function numbersIn(text: string): StateValues {
  const parsed: unknown = JSON.parse(text);
  const entries = Object.entries(Object(parsed) as object).filter(([, value]) => typeof value === 'number');
  return Object.fromEntries(entries) as StateValues;
}

/** Tensors of a state as sources of a checkpoint. */
export function stateSources(tensors: readonly StateTensor[]): TensorSource[] {
  return tensors.map(({ name, dims, data }) => ({
    name,
    dtype: 'F32',
    shape: dims,
    chunks: () => [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
  }));
}
