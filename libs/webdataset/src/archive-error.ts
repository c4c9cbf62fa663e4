import { Blip2Error, defined } from '@blip2/interfaces';

/** Where in an archive something is. */
export interface ArchivePlace {
  /** Name of the archive. */
  readonly archive: string;
  /** Offset in the uncompressed archive, in bytes. */
  readonly offset?: number;
  /** Name of the entry. */
  readonly entry?: string;
}

const REMEDY = 'Make or download the archive again';

/** Creates the error for an archive that is damaged or breaks a limit. */
export function archiveError(
  what: string,
  { archive, offset, entry }: ArchivePlace,
  { expected, got, fix = REMEDY, cause }: { expected?: string; got?: string; fix?: string; cause?: unknown } = {},
): Blip2Error {
  const at = offset === undefined ? '' : `, byte ${offset}`;
  const where = entry === undefined ? `${archive}${at}` : `${archive}, entry ${shown(entry)}${at}`;
  return new Blip2Error('INVALID_ARCHIVE', what, {
    where,
    fix,
    subject: archive,
    ...defined({ expected, got, cause }),
  });
}

/** Maximum length of an entry's name in a message, in UTF-16 code units. */
const SHOWN = 120;

function shown(name: string): string {
  return JSON.stringify(name.length > SHOWN ? `${name.slice(0, SHOWN)}…` : name);
}
