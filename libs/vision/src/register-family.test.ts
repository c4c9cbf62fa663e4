import { VisionConfig, visionConfigFamily } from '@blip2/config';
import { expect, test } from 'vitest';

import { registerVisionFamily, visionFamily, type VisionFamilyDefinition } from './families.ts';
import { vitFamily } from './vit/vit-encoder.ts';

const module = 'file:///families/mine.mjs';
const config = { ...visionConfigFamily('vit'), format: { ...visionConfigFamily('vit').format } };
const family = { ...vitFamily, part: { ...vitFamily.part } };
const definition = { modelType: 'mine', config, family, module } as unknown as VisionFamilyDefinition<VisionConfig>;
const loose = (changes: object): VisionFamilyDefinition<VisionConfig> => ({ ...definition, ...changes });

test('a family is registered once; the same again has no effect', () => {
  registerVisionFamily(definition);
  registerVisionFamily(loose({ family: { ...family }, config: { ...config } }));
  expect(visionFamily('mine').part).toBe(family.part);
  expect(visionConfigFamily('mine').format).toBe(config.format);
});

test.each([
  ['the type of a family of the package', { modelType: 'vit' }, 'belongs to another family'],
  ['the type of another registered family', { family: { part: { ...family.part } } }, 'belongs to another family'],
  ['no type', { modelType: undefined }, 'definition.modelType must be a string'],
  ['a configuration without a list', { config: { format: config.format } }, 'config.fullModelTypes must be an object'],
  ['a part that is no part', { family: { part: null } }, 'family.part must be an object'],
  ['a module that is no URL', { modelType: 'theirs', module: 'mine' }, 'module must be the URL of a module'],
])('%s is refused', (_, changes, words) => {
  expect(() => registerVisionFamily(loose(changes))).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(words) as string }),
  );
  expect(() => visionFamily('theirs')).toThrow('not supported');
});
