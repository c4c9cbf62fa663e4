export interface CacheOptions {
  readonly revision?: string;
  readonly cacheDir?: string;
  readonly dryRun?: boolean;
  readonly converted?: boolean;
  readonly unusedFor?: number;
  readonly removeDamaged?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Arguments of an action of `blip2 cache`. */
export interface CacheCall {
  /** The hub cache. */
  readonly folder: string;
  readonly models: readonly string[];
  readonly options: CacheOptions;
  readonly signal: AbortSignal;
  readonly print: (lines: string) => Promise<void>;
}

export function totalBytes(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
