import type { CachedConversion } from '@blip2/checkpoint';

import { oneLine } from '../../output/one-line.ts';
import { conversionName } from './conversion-lines.ts';

export interface ConversionCheck {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly removeDamaged: boolean;
  readonly signal: AbortSignal;
  readonly print: (lines: string) => Promise<void>;
}

/** Reads converted weights to their end and says which are damaged. Returns how many. */
export async function verifyConversions(
  conversions: readonly CachedConversion[],
  { json, quiet, removeDamaged, signal, print }: ConversionCheck,
): Promise<number> {
  const { removeCachedConversions, verifyCachedConversion } = await import('@blip2/checkpoint');
  const damaged: CachedConversion[] = [];
  for (const conversion of conversions) {
    const state = await verifyCachedConversion(conversion, signal);
    if (state === 'damaged') damaged.push(conversion);
    const { model, file } = conversion;
    if (json && (!quiet || state === 'damaged'))
      await print(`${JSON.stringify({ kind: 'converted', model, file, state })}\n`);
    else if (state === 'damaged') await print(`damaged\t${oneLine(file)}\n`);
    else if (!quiet)
      await print(
        `${conversionName(conversion).replace('\t', ' ')}: ${state === 'ok' ? 'sound' : 'made before there were checksums; its header is sound'}\n`,
      );
  }
  if (removeDamaged) await removeCachedConversions({ conversions: damaged, leftovers: [] });
  return damaged.length;
}
