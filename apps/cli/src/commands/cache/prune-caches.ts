import { defined } from '@blip2/interfaces';

import { ExitCode } from '../../exit-code.ts';
import { byteSize, oneLine } from '../../output/display-text.ts';
import type { CacheCall } from './cache-call.ts';

/** Milliseconds. */
const DAY = 86_400_000;

/** `blip2 cache prune`: removes unused snapshots, abandoned downloads and stale converted weights. */
export async function pruneCaches({ folder, options, signal, print }: CacheCall): Promise<ExitCode> {
  const { planPrune, pruneCache } = await import('@blip2/hub');
  const { planConversionPrune, removeCachedConversions } = await import('@blip2/checkpoint');
  const hub = options.converted === true ? { files: [], bytes: 0 } : await planPrune(folder, { signal });
  const unusedFor = options.unusedFor === undefined ? undefined : options.unusedFor * DAY;
  const converted = await planConversionPrune(undefined, defined({ unusedFor }));
  const dry = options.dryRun === true;
  const hubBytes = dry ? hub.bytes : await pruneCache(hub);
  if (!dry) await removeCachedConversions(converted);
  const files = [...hub.files, ...converted.conversions.map(({ file }) => file), ...converted.leftovers];
  const bytes = hubBytes + converted.bytes;
  if (options.json === true) {
    await print(`${JSON.stringify({ files, bytes, removed: !dry })}\n`);
    return ExitCode.done;
  }
  const list = dry ? files.map((path) => `${oneLine(path)}\n`).join('') : '';
  await print(`${list}${dry ? 'Would free' : 'Freed'} ${byteSize(bytes)}\n`);
  return ExitCode.done;
}
