import type { TextResult } from '../model/model-port.ts';

/** The JSON keys that every generated text has; times in milliseconds, to the hundredth. */
export function textResultJson({ text, tokenIds, score, timings }: TextResult): Readonly<Record<string, unknown>> {
  const rounded = Object.entries(timings).map(([stage, time]) => [stage, Math.round(time * 100) / 100] as const);
  return { text, tokenIds, score, timings: Object.fromEntries(rounded) };
}
