import { TextConfig, textFamily, textModelTypes } from '@blip2/config';
import { expect, test } from 'vitest';

import { languageFamilies, languageFamily, type LanguageFamilyDefinition, registerLanguageFamily } from './families.ts';
import { optFamily } from './opt/opt-for-causal-lm.ts';

const module = 'file:///families/mine.mjs';
const config = { ...textFamily('opt'), format: { ...textFamily('opt').format } };
const family = { ...optFamily, part: { ...optFamily.part } };
const definition = { modelType: 'mine', config, family, module } as unknown as LanguageFamilyDefinition<TextConfig>;
const loose = (changes: object): LanguageFamilyDefinition<TextConfig> => ({ ...definition, ...changes });

test('a family is registered once; the same again has no effect', () => {
  const before = languageFamilies().length;
  registerLanguageFamily(definition);
  registerLanguageFamily(loose({ family: { ...family }, config: { ...config } }));
  expect(languageFamilies().length).toBe(before + 1);
  expect(languageFamily('mine').part).toBe(family.part);
  expect(textModelTypes()).toContain('mine');
});

test.each([
  ['the type of a family of the package', { modelType: 'opt' }, 'belongs to another family'],
  ['the type of another registered family', { family: { ...family, part: { ...family.part } } }, 'another family'],
  ['another format of a registered family', { config: { ...config, format: { ...config.format } } }, 'another family'],
  ['no type', { modelType: '' }, 'definition.modelType must be a string'],
  ['a type that is no string', { modelType: 7 }, 'definition.modelType must be a string, got 7'],
  ['no configuration', { config: undefined }, 'definition.config must be an object'],
  ['a configuration without sizes', { config: { format: config.format } }, 'config.sizes must be a function'],
  ['a format that writes nothing', { config: { ...config, format: { fromJson() {} } } }, 'config.format.toJson'],
  ['no part', { family: { tokenEmbeddings: [] } }, 'family.part must be an object'],
  ['a part that is no part', { family: { ...family, part: {} } }, 'family.part.fromPretrained must be a function'],
  ['a module that is no URL', { modelType: 'theirs', module: './mine.mjs' }, 'module must be the URL of a module'],
  ['no module', { modelType: 'theirs', module: undefined }, 'module must be the URL of a module'],
])('%s is refused', (_, changes, words) => {
  expect(() => registerLanguageFamily(loose(changes))).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(words) as string }),
  );
  expect(textModelTypes()).not.toContain('theirs');
});
