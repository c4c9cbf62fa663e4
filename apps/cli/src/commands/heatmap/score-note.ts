import type { Heatmap, HeatmapSubject } from '../../model/heatmap-port.ts';

/** What the score of the whole image says of its map, for a person. */
export function scoreNote({ kind, value }: NonNullable<Heatmap['score']>, subject: HeatmapSubject): string {
  if (kind === 'itc') return `cosine of image and text ${value.toFixed(2)}`;
  if (kind === 'writing') return `log-probability of the text ${value.toFixed(2)}`;
  const odds = `log-odds that image and text match ${value.toFixed(2)} (probability ${(1 / (1 + Math.exp(-value))).toFixed(2)})`;
  const isAboutLoss = subject.method === 'occlusion' && (subject.mode ?? 'hide') === 'hide';
  return value < 0 && isAboutLoss
    ? `${odds}: the text does not fit the whole image, so hiding regions says little; --mode keep finds the region that fits it`
    : odds;
}
