import type { CachedConversion } from '@blip2/checkpoint';

import { byteSize } from '../../hub/byte-size.ts';
import { oneLine } from '../../output/one-line.ts';

/**
 * One line per file of converted weights: model, part and precision, size, when it was last used, and what is wrong
 * with it.
 */
export function conversionLines(conversions: readonly CachedConversion[], json: boolean): string {
  return conversions
    .map((conversion) =>
      json
        ? `${JSON.stringify({ kind: 'converted', ...conversion })}\n`
        : `${conversionName(conversion)}\t${byteSize(conversion.bytes)}\t${usage(conversion)}\n`,
    )
    .join('');
}

/** `Salesforce/blip2-opt-2.7b`, a tabulator, `language_model int8`. */
export function conversionName({ model, part, precisions }: CachedConversion): string {
  return `${oneLine(model ?? 'unknown model')}\t${oneLine(part)} ${precisions.join('+')}`.trimEnd();
}

function usage({ lastUsed, state }: CachedConversion): string {
  return `used ${lastUsed.slice(0, 10)}${state === 'ready' ? '' : `, ${state}`}`;
}
