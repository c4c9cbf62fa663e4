import type { ScalingFile } from './result-files.ts';
import { type Line, panelsSvg, type Point } from './svg-plot.ts';

/** Draws the results of `scaling` as four panels of SVG. */
export function scalingPlot(result: ScalingFile): string {
  const { shape, dtype, captionTokens, images, prompts, newTokens, threads, machine } = result;
  const processor = `${threads.at(-1)?.threads} threads of ${machine.cpu}`;
  const title = `Random weights of the ${shape} shape at ${dtype}, ${processor}`;
  return panelsSvg(title, [
    {
      title: 'images per batch',
      x: `images per batch, captions of ${captionTokens} tokens`,
      y: 'captions per second',
      logarithmic: true,
      lines: line(images.map((each) => [each.images, each.captionsPerSecond])),
    },
    {
      title: 'prompt length',
      x: 'prompt tokens after the image',
      y: 'prefill, ms',
      lines: line(prompts.map((each) => [each.words, each.prefillMs])),
    },
    {
      title: 'new tokens',
      x: 'generated tokens',
      y: 'generation, ms',
      lines: line(newTokens.map((each) => [each.newTokens, each.writingMs])),
    },
    {
      title: 'threads',
      x: 'threads',
      y: 'ms per caption',
      lines: (
        [
          ['caption', 'captionMs'],
          ['image to prefix', 'encodeMs'],
          ['prefill', 'prefillMs'],
        ] as const
      ).map(([name, key]) => ({ name, points: threads.map((each): Point => [each.threads, each[key]]) })),
    },
  ]);
}

function line(points: readonly Point[]): readonly Line[] {
  return [{ name: '', points }];
}
