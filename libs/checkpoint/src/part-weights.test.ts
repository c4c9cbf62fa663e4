import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openCheckpoint, openPartWeights, partWeights } from './index.ts';

const folder = join(import.meta.dirname, '../../../tools/parity/cases/opt/checkpoint');

it('finds a part under its path in a whole model, and at the root of one of its own', async () => {
  expect((await openPartWeights(folder, 'vision_model')).prefix).toBe('vision_model');
  expect(partWeights(await openCheckpoint(folder), 'vision').prefix).toBe('');
});
