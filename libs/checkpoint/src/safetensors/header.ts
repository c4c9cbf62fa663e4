import { MAX_NAME_LENGTH, MAX_RANK, MAX_TENSORS } from '@blip2/files';
import { Blip2Error, defined, type StoredTensor, type StoredType } from '@blip2/interfaces';

import { HeaderScanner } from './header-scanner.ts';
import { byteCount, isStoredType, UNSUPPORTED_TYPES } from './stored-type.ts';

/** Size of the header length at the start of a file, in bytes. */
export const LENGTH_BYTES = 8;

/** A parsed header. */
export interface Header {
  /** Tensors in file order. */
  readonly tensors: readonly StoredTensor[];
  readonly metadata: ReadonlyMap<string, string>;
}

interface Entry {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Creates the error for a file that breaks a rule of the format. */
export function invalidFile(
  file: string,
  rule: string,
  details: { expected?: string; got?: string; tensor?: string; cause?: unknown } = {},
): Blip2Error {
  const { tensor, ...rest } = details;
  const where = tensor === undefined ? file : `${JSON.stringify(tensor.slice(0, MAX_NAME_LENGTH))} in ${file}`;
  return new Blip2Error('INVALID_CHECKPOINT', `The safetensors file is not valid: ${rule}`, {
    ...rest,
    where,
    fix: 'Download or copy the file again',
  });
}

/**
 * Parses and checks the header of a safetensors file of `fileBytes` bytes. The result satisfies every rule of the
 * format: known types, unique names, lengths equal to shape times element size, and tensors that cover the data from
 * the first to the last byte without gap or overlap. `version` is that of the file.
 * @throws Blip2Error `INVALID_CHECKPOINT`, `UNSUPPORTED_DTYPE`
 */
export function parseHeader(bytes: Uint8Array, file: string, fileBytes: number, version?: string): Header {
  const { entries, metadata } = scan(decode(bytes, file), file);
  const dataStart = LENGTH_BYTES + bytes.byteLength;
  const tensors = contiguous(entries, fileBytes - dataStart, file);
  return {
    metadata,
    tensors: tensors.map(({ name, dtype, shape, begin, end }) =>
      Object.freeze({
        name,
        dtype,
        shape: Object.freeze(shape),
        file,
        byteOffset: dataStart + begin,
        byteLength: end - begin,
        ...defined({ version }),
      }),
    ),
  };
}

function decode(bytes: Uint8Array, file: string): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw invalidFile(file, 'the header is not UTF-8', { cause });
  }
  if (!text.startsWith('{')) throw invalidFile(file, 'the header does not begin with "{"');
  return text;
}

function scan(text: string, file: string): { entries: Entry[]; metadata: Map<string, string> } {
  const entries: Entry[] = [];
  const metadata = new Map<string, string>();
  const scanner = new HeaderScanner(text, (rule) => invalidFile(file, rule));
  scanner.object((key) => {
    if (key === '__metadata__') return scanner.object((name) => void metadata.set(name, scanner.string()));
    if (entries.length === MAX_TENSORS) throw scanner.fail(`it has more than ${MAX_TENSORS} tensors`);
    entries.push(scanEntry(scanner, key, file));
  });
  scanner.end();
  return { entries, metadata };
}

function scanEntry(scanner: HeaderScanner, name: string, file: string): Entry {
  requireName(name, file);
  let dtype: string | undefined, shape: number[] | undefined, offsets: number[] | undefined;
  scanner.object((key) => {
    if (key === 'dtype') dtype = scanner.string();
    else if (key === 'shape') shape = scanner.integers(MAX_RANK);
    else if (key === 'data_offsets') offsets = scanner.integers(2);
    else throw scanner.fail(`a tensor has an unknown property ${JSON.stringify(key.slice(0, 80))}`);
  });
  const [begin, end] = offsets ?? [];
  if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
    throw invalidFile(file, 'a tensor is incomplete', { expected: 'dtype, shape and two data_offsets', tensor: name });
  }
  return { name, dtype: requireType(dtype, name, file), shape, begin, end };
}

const CONTROL_OR_BROKEN_CHARACTER = /[\p{Cc}\p{Surrogate}]/u;

/**
 * Whether a tensor may have this name. Excludes names with control characters and names with a meaning in JavaScript.
 */
export function isTensorName(name: string): boolean {
  return (
    name !== '' &&
    name !== '__proto__' &&
    name !== '__metadata__' &&
    name.length <= MAX_NAME_LENGTH &&
    !CONTROL_OR_BROKEN_CHARACTER.test(name)
  );
}

function requireName(name: string, file: string): void {
  if (!isTensorName(name)) {
    throw invalidFile(file, 'a tensor has an invalid name', {
      expected: `1 to ${MAX_NAME_LENGTH} printable characters`,
      tensor: name,
    });
  }
}

function requireType(dtype: string, tensor: string, file: string): StoredType {
  if (isStoredType(dtype)) return dtype;
  if (UNSUPPORTED_TYPES.includes(dtype)) {
    throw new Blip2Error('UNSUPPORTED_DTYPE', 'The type of a tensor is not supported', {
      expected: 'float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8 or bool',
      got: dtype,
      where: `${JSON.stringify(tensor)} in ${file}`,
      fix: 'Convert the tensor to a supported type',
    });
  }
  throw invalidFile(file, 'a tensor has an unknown type', { got: JSON.stringify(dtype.slice(0, 80)), tensor });
}

function contiguous(entries: readonly Entry[], dataBytes: number, file: string): Entry[] {
  const ordered = entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  let position = 0;
  for (const { name, dtype, shape, begin, end } of ordered) {
    if (begin > position)
      throw invalidFile(file, 'there is a gap before a tensor', {
        expected: `offset ${position}`,
        got: `${begin}`,
        tensor: name,
      });
    if (begin < position)
      throw invalidFile(file, 'two tensors overlap', { expected: `offset ${position}`, got: `${begin}`, tensor: name });
    const bytes = byteCount(dtype, shape);
    if (bytes === undefined)
      throw invalidFile(file, 'the size of a tensor is above 2^53 - 1', { got: `[${shape.join(', ')}]`, tensor: name });
    if (end - begin !== bytes)
      throw invalidFile(file, 'shape and length of a tensor disagree', {
        expected: `${bytes} bytes for ${dtype} [${shape.join(', ')}]`,
        got: `${end - begin}`,
        tensor: name,
      });
    position = end;
  }
  if (position > dataBytes)
    throw invalidFile(file, 'it is truncated', { expected: `${position} bytes of tensors`, got: `${dataBytes}` });
  if (position < dataBytes)
    throw invalidFile(file, 'bytes follow the last tensor', {
      expected: `${position} bytes of tensors`,
      got: `${dataBytes}`,
    });
  return ordered;
}
