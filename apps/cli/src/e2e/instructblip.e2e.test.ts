import { join } from 'node:path';

import { expect, test } from 'vitest';

import { repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';

const model = join(repository, 'tools/parity/cases/instructblip-t5/checkpoint');
const image = join(repository, 'examples/left-of.png');

test.each([
  ['match', ['match', image, '-t', 'a star', '-m', model]],
  ['heatmap', ['heatmap', image, '-o', 'never-written.png', '-m', model]],
  ['compare', ['compare', model, image, '--dtype', 'fp32,q8']],
])('%s lists the commands that support InstructBLIP', async (_command, argv) => {
  const { exitCode, stdout, stderr } = await spawnBlip2(argv);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toMatch(
    /^UNSUPPORTED_ARCHITECTURE: This command does not support InstructBLIP .*\. caption, .* support it\n$/,
  );
});

test('embed writes features of images, and of images with texts, of InstructBLIP', async () => {
  const partOf = async (...argv: string[]): Promise<unknown> => {
    const { exitCode, stdout } = await spawnBlip2(['embed', image, '--json', '-m', model, ...argv]);
    expect(exitCode).toBe(0);
    const { part, shape }: { part: string; shape: readonly number[] } = JSON.parse(stdout);
    return [part, shape];
  };
  expect(await partOf()).toEqual(['vision', [17, 40]]);
  expect(await partOf('-t', 'what is it?', '--layer', '-2')).toEqual(['qformer', [5, 48]]);
  expect(await partOf('-t', 'what is it?', '--part', 'language', '--pool', 'mean')).toEqual(['language', [44]]);
});
