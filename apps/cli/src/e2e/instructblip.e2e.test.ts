import { join } from 'node:path';

import { expect, test } from 'vitest';

import { repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';

const model = join(repository, 'tools/parity/cases/instructblip-t5/checkpoint');
const image = join(repository, 'examples/left-of.png');

test.each([
  ['embed', ['embed', image, '--part', 'vision', '--json', '-m', model]],
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
