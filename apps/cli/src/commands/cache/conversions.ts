import { realpath } from 'node:fs/promises';

import type { CachedConversion } from '@blip2/checkpoint';

import { byteSize, oneLine } from '../../output/display-text.ts';

/**
 * One line per file of converted weights: model, component and precision, size, last use, and its state if not ready.
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

/** `Salesforce/blip2-opt-2.7b`, a tab, `language_model int8`. */
export function conversionName({ model, part, precisions }: CachedConversion): string {
  return `${oneLine(model ?? 'unknown model')}\t${oneLine(part)} ${precisions.join('+')}`.trimEnd();
}

function usage({ lastUsed, state }: CachedConversion): string {
  return `used ${lastUsed.slice(0, 10)}${state === 'ready' ? '' : `, ${state}`}`;
}

/** The converted weights of a model, given by its hub id or its folder. */
export async function conversionsOf(
  model: string,
  all: readonly CachedConversion[],
): Promise<readonly CachedConversion[]> {
  const folder = await realpath(model).catch(() => model);
  return all.filter((conversion) => conversion.model === model || conversion.model === folder);
}
