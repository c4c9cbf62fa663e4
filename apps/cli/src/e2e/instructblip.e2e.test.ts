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
])('%s says which commands read a checkpoint of InstructBLIP', async (_command, argv) => {
  const { exitCode, stdout, stderr } = await spawnBlip2(argv);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toMatch(
    /^UNSUPPORTED_ARCHITECTURE: The command does not read checkpoints of InstructBLIP .*expected BLIP-2, got InstructBLIP\. caption, ask, chat, rank and inspect read it\n$/,
  );
});
