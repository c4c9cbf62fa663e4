import { archiveError } from './archive-error.ts';
import type { Cursor } from './cursor.ts';
import { HeaderFault, isZeroBlock, paddedSize, parseHeader, type TarHeader, untilZero } from './header.ts';
import { BLOCK, BLOCKS_AFTER_END, MAX_EXTENSION_BYTES, MAX_EXTENSIONS, type TarLimits } from './limits.ts';
import { parsePaxRecords } from './pax-records.ts';

/** What kind of thing an entry is. */
export type EntryKind = 'file' | 'folder' | 'label' | 'link' | 'device' | 'sparse file' | 'other';

/** An entry of an archive. */
export interface TarEntry {
  /** Complete name; bytes that are not UTF-8 are replaced. */
  readonly name: string;
  /** Whether the name was UTF-8. */
  readonly isText: boolean;
  readonly kind: EntryKind;
  /** Size of its contents in bytes. */
  readonly size: number;
  /** Offset of its contents in bytes; its header is the block before. */
  readonly offset: number;
  /** Reads the contents. At most once, before the next entry is asked for. */
  read(): Promise<Uint8Array>;
}

/** How `tarEntries` reads. */
export interface TarEntriesOptions extends Required<Pick<TarLimits, 'maxEntries'>> {
  /** Name of the archive for messages. */
  readonly archive: string;
}

const KINDS: Readonly<Record<string, EntryKind>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'link',
  '3': 'device',
  '4': 'device',
  '5': 'folder',
  '6': 'device',
  S: 'sparse file',
  V: 'label',
};
/** Types of extended headers, which describe the next entry or, `g`, all later ones. */
const EXTENSIONS = 'xgXLK';

/** What extended headers say about the next entry. */
interface Extended {
  readonly name?: Uint8Array;
  readonly size?: number;
  readonly isSparse?: boolean;
}

/**
 * The entries of a tar archive, in order: ustar, pax and GNU tar, and the tar before them.
 * @throws Blip2Error `INVALID_ARCHIVE` for damaged headers, truncated archives, data after the end, and too many
 * entries.
 */
export async function* tarEntries(cursor: Cursor, options: TarEntriesOptions): AsyncGenerator<TarEntry, void> {
  const { archive, maxEntries } = options;
  let extended: Extended = {};
  let extensions = 0;
  for (let entries = 0; ;) {
    const header = await nextHeader(cursor, archive, extensions > 0);
    if (header === undefined) return;
    if (EXTENSIONS.includes(header.type)) {
      if (++extensions > MAX_EXTENSIONS) {
        const at = { archive, offset: cursor.offset - BLOCK };
        throw archiveError(`The archive has more than ${MAX_EXTENSIONS} extended headers in a row`, at);
      }
      extended = { ...extended, ...(await readExtended(cursor, header, archive)) };
      continue;
    }
    if (++entries > maxEntries) {
      const at = { archive, offset: cursor.offset - BLOCK };
      throw archiveError(`The archive has more than ${maxEntries} entries`, at, { fix: 'Raise maxEntries' });
    }
    const entry = entryOf(cursor, header, extended, archive);
    const end = cursor.offset + paddedSize(entry.size);
    extended = {};
    extensions = 0;
    yield entry;
    const rest = end - cursor.offset;
    if ((await cursor.skip(rest)) < rest) throw truncated({ archive, entry: entry.name, offset: cursor.offset });
  }
}

/** The next header, or `undefined` after the last entry. */
async function nextHeader(cursor: Cursor, archive: string, isExpected: boolean): Promise<TarHeader | undefined> {
  const offset = cursor.offset;
  const block = await cursor.take(BLOCK);
  if (block.byteLength < BLOCK) throw truncated({ archive, offset: cursor.offset });
  if (isZeroBlock(block)) {
    if (isExpected) throw archiveError('The archive ends after an extended header', { archive, offset });
    await expectEnd(cursor, archive);
    return undefined;
  }
  const header = parseHeader(block);
  if (!(header instanceof HeaderFault)) return header;
  const what = offset === 0 ? 'The file is not a tar archive' : 'The archive is damaged';
  throw archiveError(`${what}: a header is wrong, ${header.reason}`, { archive, offset });
}

/** Checks that nothing follows the end: readers of concatenated archives would lose all but the first in silence. */
async function expectEnd(cursor: Cursor, archive: string): Promise<void> {
  for (let blocks = 0; blocks < BLOCKS_AFTER_END; blocks++) {
    const offset = cursor.offset;
    const block = await cursor.take(BLOCK);
    if (block.byteLength === 0) return;
    if (isZeroBlock(block)) continue;
    const fix = 'If archives were concatenated, join their files in one archive, or pass them one by one';
    throw archiveError('The archive has data after its end', { archive, offset }, { fix });
  }
}

function truncated(place: Parameters<typeof archiveError>[1]): Error {
  return archiveError('The archive is truncated', place, {
    expected: 'a zero block at its end',
    got: 'the end of the data',
  });
}

/** Reads an extended header. */
async function readExtended(cursor: Cursor, { type, size }: TarHeader, archive: string): Promise<Extended> {
  const place = { archive, offset: cursor.offset - BLOCK };
  if (size > MAX_EXTENSION_BYTES) {
    const details = { expected: `at most ${MAX_EXTENSION_BYTES} bytes`, got: `${size}` };
    throw archiveError('An extended header is too large', place, details);
  }
  const block = await cursor.take(paddedSize(size));
  if (block.byteLength < paddedSize(size)) throw truncated({ archive, offset: cursor.offset });
  const bytes = block.subarray(0, size);
  if (type === 'L') return { name: untilZero(bytes) };
  if (type === 'K') return {};
  const records = parsePaxRecords(bytes);
  if (!records) throw archiveError('The pax records are malformed', place);
  if (type === 'g') return {};
  return fromRecords(records, place);
}

function fromRecords(records: ReadonlyMap<string, Uint8Array>, place: Parameters<typeof archiveError>[1]): Extended {
  const name = records.get('path');
  const size = records.get('size');
  const isSparse = [...records.keys()].some((key) => key.startsWith('GNU.sparse.'));
  const digits = size && Buffer.from(size).toString('latin1');
  if (digits !== undefined && !(/^\d+$/.test(digits) && Number.isSafeInteger(Number(digits)))) {
    throw archiveError('The size in the pax records is not a number of bytes', place);
  }
  return {
    ...(name && { name }),
    ...(digits !== undefined && { size: Number(digits) }),
    ...(isSparse && { isSparse }),
  };
}

function entryOf(cursor: Cursor, header: TarHeader, extended: Extended, archive: string): TarEntry {
  const bytes = extended.name ?? header.name;
  const name = Buffer.from(bytes).toString('utf8');
  const offset = cursor.offset;
  // A name with a final slash is a folder in archives without a type for folders.
  const isFolder = header.type === '\0' && name.endsWith('/');
  const kind = isFolder ? 'folder' : extended.isSparse ? 'sparse file' : (KINDS[header.type] ?? 'other');
  // Links and devices have no contents, whatever size their header tells.
  const isEmpty = kind === 'link' || kind === 'device' || kind === 'folder';
  const size = isEmpty ? 0 : (extended.size ?? header.size);
  return {
    name,
    isText: Buffer.from(name, 'utf8').equals(bytes),
    kind,
    size,
    offset,
    async read() {
      const contents = await cursor.take(size);
      if (contents.byteLength < size) throw truncated({ archive, entry: name, offset: cursor.offset });
      return contents;
    },
  };
}
