import { MAX_METADATA_ENTRIES, MAX_NAME_LENGTH, MAX_RANK, MAX_TENSORS } from '@blip2/files';
import { Blip2Error, defined, type StoredTensor, type StoredType } from '@blip2/interfaces';

import { HeaderScanner } from './header-scanner.ts';
import { byteCount, ELEMENT_BYTES, isStoredType } from './stored-type.ts';

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

/** Remedy for a file that is damaged or incomplete. */
const COPY_AGAIN = 'Download or copy the file again';
/** Remedy for a rule that a damaged file or the program that wrote it may have broken. */
const SAVE_AGAIN = `${COPY_AGAIN}, or save the model again with save_pretrained of Hugging Face Transformers`;

/** Creates the error for a file that breaks a rule of the format. */
export function invalidFile(
  file: string,
  rule: string,
  details: { expected?: string; got?: string; tensor?: string; fix?: string } = {},
): Blip2Error {
  const { tensor, ...rest } = details;
  const where = tensor === undefined ? file : `${JSON.stringify(tensor.slice(0, MAX_NAME_LENGTH))} in ${file}`;
  return new Blip2Error('INVALID_CHECKPOINT', `The safetensors file is not valid: ${rule}`, {
    fix: /truncated|empty/.test(rule) ? COPY_AGAIN : SAVE_AGAIN,
    ...rest,
    where,
  });
}

/**
 * Parses and checks the header of a safetensors file of `fileBytes` bytes. The result satisfies every rule of the
 * format: known types, unique names, lengths equal to shape times element size, and tensors that cover the data from
 * the first to the last byte without gap or overlap. `version` is that of the file.
 * @throws Blip2Error `INVALID_CHECKPOINT`
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
  } catch {
    throw invalidFile(file, 'the header is not UTF-8');
  }
  if (!/^[ \t\n\r]*\{/.test(text)) throw invalidFile(file, 'the header does not begin with "{"');
  return text;
}

function scan(text: string, file: string): { entries: Entry[]; metadata: Map<string, string> } {
  const entries: Entry[] = [];
  const metadata = new Map<string, string>();
  const scanner = new HeaderScanner(text, (rule) => invalidFile(file, rule));
  scanner.object((key) => {
    if (key === '__metadata__') return scanMetadata(scanner, metadata);
    if (entries.length === MAX_TENSORS) throw scanner.fail(`it has more than ${MAX_TENSORS} tensors`);
    entries.push(scanEntry(scanner, key, file));
  });
  scanner.end();
  return { entries, metadata };
}

function scanMetadata(scanner: HeaderScanner, metadata: Map<string, string>): void {
  if (scanner.null()) return;
  scanner.object((name) => {
    if (metadata.size === MAX_METADATA_ENTRIES)
      throw scanner.fail(`__metadata__ has more than ${MAX_METADATA_ENTRIES} entries`);
    metadata.set(name, scanner.string());
  });
}

/** Reads the entry of a tensor. Properties that the format does not have are ignored, as in the Rust library. */
function scanEntry(scanner: HeaderScanner, name: string, file: string): Entry {
  requireName(name, file);
  let dtype: string | undefined, shape: number[] | undefined, offsets: number[] | undefined;
  scanner.object((key) => {
    if (key === 'dtype') dtype = scanner.string();
    else if (key === 'shape') shape = scanner.integers(MAX_RANK);
    else if (key === 'data_offsets') offsets = scanner.integers(2);
    else scanner.skip();
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
  throw invalidFile(file, 'a tensor has an unknown type', {
    expected: Object.keys(ELEMENT_BYTES).join(', '),
    got: JSON.stringify(dtype.slice(0, 80)),
    tensor,
    fix: 'Convert the tensor to one of these types',
  });
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
