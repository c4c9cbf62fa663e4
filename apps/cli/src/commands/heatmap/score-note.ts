import type { Heatmap, HeatmapSubject } from '../../model/heatmap-port.ts';

/** A note for users on the score of the whole image, with advice if the map says little. */
export function scoreNote({ kind, value }: NonNullable<Heatmap['score']>, subject: HeatmapSubject): string {
  if (kind === 'itc') return `cosine of image and text ${value.toFixed(2)}`;
  if (kind === 'writing') return `log-probability of the text ${value.toFixed(2)}`;
  const probability = (1 / (1 + Math.exp(-value))).toFixed(2);
  const odds = `log-odds that image and text match ${value.toFixed(2)} (probability ${probability})`;
  const hides = subject.method === 'occlusion' && (subject.mode ?? 'hide') === 'hide';
  return value < 0 && hides
    ? `${odds}: the text does not match the whole image, so hiding regions shows little; try --mode keep`
    : odds;
}
