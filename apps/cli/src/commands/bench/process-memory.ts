import { readFileSync } from 'node:fs';

export interface ProcessMemory {
  /** The most that has been resident so far, mapped files included. */
  readonly peakMiB: number;
  /**
   * Resident now beyond mapped files, which belong to the file cache. Where the system does not tell, all that is
   * resident.
   */
  readonly rssAnonMiB: number;
}

/** Memory of this process. */
export function processMemory(): ProcessMemory {
  const status = procStatus();
  const kibibytes = (name: string): number | undefined => {
    const text = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
    return text === undefined ? undefined : Number(text);
  };
  const { maxRSS } = process.resourceUsage();
  return {
    peakMiB: (kibibytes('VmHWM') ?? maxRSS) / 2 ** 10,
    rssAnonMiB: (kibibytes('RssAnon') ?? process.memoryUsage().rss / 2 ** 10) / 2 ** 10,
  };
}

function procStatus(): string {
  try {
    return readFileSync('/proc/self/status', 'utf8');
  } catch {
    return '';
  }
}
