import { panelsSvg } from './svg-plot.mjs';

/** What `scaling.mjs` measured, as SVG text. */
export function scalingPlot({ shape, dtype, captionTokens, images, prompts, newTokens, threads, machine: { cpu } }) {
  const line = (points) => [{ name: '', points }];
  return panelsSvg(`Random weights of the ${shape} shape at ${dtype}, ${threads.at(-1).threads} threads of ${cpu}`, [
    {
      title: 'images per batch',
      x: `captions of ${captionTokens} tokens at once`,
      y: 'captions per second',
      logarithmic: true,
      lines: line(images.map((each) => [each.images, each.captionsPerSecond])),
    },
    {
      title: 'length of the prompt',
      x: 'words behind the image',
      y: 'ms to read it',
      lines: line(prompts.map((each) => [each.words, each.prefillMs])),
    },
    {
      title: 'new tokens',
      x: 'tokens written',
      y: 'ms to write them',
      lines: line(newTokens.map((each) => [each.newTokens, each.writingMs])),
    },
    {
      title: 'threads',
      x: 'threads',
      y: 'ms of a caption',
      lines: [
        ['caption', 'captionMs'],
        ['image to prefix', 'encodeMs'],
        ['prompt', 'prefillMs'],
      ].map(([name, key]) => ({ name, points: threads.map((each) => [each.threads, each[key]]) })),
    },
  ]);
}
