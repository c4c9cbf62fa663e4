import type { CachedConversion } from '@blip2/checkpoint';
import { expect, test } from 'vitest';

import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { conversionLines, conversionsOf } from './conversions.ts';

const conversion: CachedConversion = {
  file: '/cache/weights/1.safetensors',
  model: 'Salesforce/blip2-opt-2.7b',
  part: 'language_model',
  precisions: ['int8', 'q4'],
  bytes: 1_500_000_000,
  lastUsed: '2026-01-02T03:04:05.000Z',
  state: 'ready',
};

test('a line has model, component and precisions, size, last use, and the state unless it is ready', () => {
  expect(conversionLines([conversion], false)).toBe(
    'Salesforce/blip2-opt-2.7b\tlanguage_model int8+q4\t1.5 GB\tused 2026-01-02\n',
  );
  expect(conversionLines([{ ...conversion, state: 'stale' }], false)).toMatch(/\tused 2026-01-02, stale\n$/);
});

test('a line of JSON has every member', () => {
  expect(JSON.parse(conversionLines([conversion], true))).toEqual({ kind: 'converted', ...conversion });
});

test('finds the weights of a model by its hub id and by its folder', async () => {
  const at = await temporaryFolder({ 'config.json': '{}' });
  const ofFolder = { ...conversion, model: at() };
  const all = [conversion, ofFolder];
  expect(await conversionsOf('Salesforce/blip2-opt-2.7b', all)).toEqual([conversion]);
  expect(await conversionsOf(`${at()}/`, all)).toEqual([ofFolder]);
  expect(await conversionsOf('other/model', all)).toEqual([]);
});
