import { dirname } from 'node:path';

import { checksumOf, parseJson } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { fileState, FORMAT_VERSION, sourceFiles } from './content-key.ts';
import type { Conversion } from './weight-plan.ts';

/** Placeholder with the length of a checksum, so that the header keeps its length once the checksum is known. */
export const UNKNOWN_CHECKSUM = '00000000';

/** Source of a converted file, stored in its metadata. */
export interface ConvertedOrigin {
  /** Folder of the largest source file. */
  readonly source: string;
  /** Source files with their states at conversion; empty in files of earlier versions. */
  readonly sources: readonly SourceState[];
  /** CRC-32 of all bytes after the header, as 8 hexadecimal digits. */
  readonly crc32: string | undefined;
  /** CRC-32 of the header in which this value is `UNKNOWN_CHECKSUM`; undefined in files of earlier versions. */
  readonly headerCrc32: string | undefined;
  readonly formatVersion: number;
}
type SourceState = readonly [file: string, ...state: string[]];

/**
 * The origin of a new converted file, except its checksums.
 * @throws Blip2Error `MISSING_FILE`
 */
export async function originOf(
  conversions: readonly Conversion[],
): Promise<Omit<ConvertedOrigin, 'crc32' | 'headerCrc32'>> {
  const bytes = new Map<string, number>();
  for (const { source } of conversions) bytes.set(source.file, (bytes.get(source.file) ?? 0) + source.byteLength);
  const [[largest] = ['']] = [...bytes].toSorted(([, a], [, b]) => b - a);
  const sources = await Promise.all(
    sourceFiles(conversions).map(async (file): Promise<SourceState> => [file, ...(await fileState(file))]),
  );
  return { source: dirname(largest), sources, formatVersion: FORMAT_VERSION };
}

/** Encodes an origin as metadata of a safetensors file, whose values are strings. */
export function originMetadata({
  source,
  sources,
  crc32 = '',
  headerCrc32 = '',
  formatVersion,
}: ConvertedOrigin): Record<string, string> {
  const version = String(formatVersion);
  return { format: 'blip2', source, sources: JSON.stringify(sources), crc32, headerCrc32, formatVersion: version };
}

/** The checksum of a header, which may already contain it. */
export function headerChecksum(head: Uint8Array): string {
  const text = Buffer.from(head).toString('latin1');
  return checksumOf(Buffer.from(text.replace(HEADER_CHECKSUM, `$1${UNKNOWN_CHECKSUM}`), 'latin1'));
}

const HEADER_CHECKSUM = /("headerCrc32":")[0-9a-f]{8}(?=")/;

/** Decodes the metadata of a converted file; `undefined` for other files. */
export function readOrigin(metadata: ReadonlyMap<string, string>): ConvertedOrigin | undefined {
  const source = metadata.get('source');
  if (metadata.get('format') !== 'blip2' || source === undefined) return undefined;
  const sources = parseSources(metadata.get('sources') ?? '[]');
  return (
    sources && {
      source,
      sources,
      crc32: checksum(metadata.get('crc32')),
      headerCrc32: checksum(metadata.get('headerCrc32')),
      formatVersion: Number(metadata.get('formatVersion') ?? 1),
    }
  );
}

function checksum(text = ''): string | undefined {
  return /^[0-9a-f]{8}$/.test(text) ? text : undefined;
}

function parseSources(text: string): SourceState[] | undefined {
  let parsed: unknown;
  try {
    parsed = parseJson(new TextEncoder().encode(text), (rule) => new Blip2Error('INVALID_CHECKPOINT', rule));
  } catch {
    return undefined;
  }
  return Array.isArray(parsed) && parsed.every(isSourceState) ? parsed : undefined;
}

function isSourceState(value: unknown): value is SourceState {
  return Array.isArray(value) && value.length > 1 && value.every((each) => typeof each === 'string');
}

/**
 * Whether a converted file is never used again: its format is outdated, or its source was deleted or changed. Small
 * source files are recognized by content in any folder, so a missing one means nothing while another still exists.
 */
export async function isStale({ sources, formatVersion }: ConvertedOrigin): Promise<boolean> {
  if (formatVersion !== FORMAT_VERSION) return true;
  const states = await Promise.all(
    sources.map(async ([file, ...then]) => {
      const now = await fileState(file).catch(() => undefined);
      if (now) return now.join('\0') === then.join('\0') ? 'same' : 'changed';
      return then.length > 1 ? 'changed' : 'missing';
    }),
  );
  return sources.length > 0 && (states.includes('changed') || !states.includes('same'));
}
