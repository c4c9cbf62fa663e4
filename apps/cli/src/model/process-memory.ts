import { readFileSync } from 'node:fs';

export interface ProcessMemory {
  /** Peak resident memory so far, including mapped files. */
  readonly peakMiB: number;
  /**
   * Resident memory without mapped files: those belong to the file cache, which the system frees when memory is short.
   * All resident memory on systems that do not report it.
   */
  readonly rssAnonMiB: number;
}

/** Measures the memory of this process. */
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
