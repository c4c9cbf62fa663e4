import { expect, test } from 'vitest';

import { choiceJson, choiceSchema } from './choice-schema.ts';

const object = (property: unknown, more: object = {}): object => ({
  type: 'object',
  properties: { color: property },
  ...more,
});
const reference = { $ref: '#/$defs/Color' };
const definitions = { $defs: { Color: { title: 'Color', type: 'string', enum: ['red', 'blue'] } } };

test.each([
  ['an enum', object({ type: 'string', enum: ['red', 'blue'] }, { required: ['color'] })],
  ['an enum behind a reference', object(reference, definitions)],
  ['a reference that has a description', object({ allOf: [reference] }, definitions)],
  ['alternatives', object({ anyOf: [{ const: 'red' }, { const: 'blue' }] })],
  ['alternatives in oneOf', object({ oneOf: [{ const: 'red' }, { const: 'blue' }] })],
  ['the whole schema behind a reference', { $ref: '#/$defs/It', $defs: { It: object({ enum: ['red', 'blue'] }) } }],
])('%s lists the values', (_, schema) => {
  const choice = choiceSchema(schema, 'format');
  expect(choice).toMatchObject({ property: 'color', values: ['red', 'blue'] });
  expect(choiceJson(choice, 'red')).toBe('{"color":"red"}');
});

test('a constant, numbers and booleans are values; the description is the question', () => {
  expect(choiceSchema(object({ const: 3, description: 'how many?' }), 'format')).toEqual({
    property: 'color',
    values: [3],
    description: 'how many?',
  });
  expect(choiceSchema(object({ enum: [1, true] }), 'format').values).toEqual([1, true]);
});

test.each([
  undefined,
  'json',
  {},
  object({ type: 'string' }),
  object({ enum: [] }),
  object({ enum: ['red', null] }),
  object({ enum: ['red', ' '] }),
  object({ anyOf: [{ const: 'red' }, { type: 'string' }] }),
  object({ $ref: '#/$defs/None' }),
  object({ $ref: '#/constructor' }),
  object({ $ref: 'https://example.com/x.json' }),
  { properties: { a: { enum: ['x'] }, b: { enum: ['x'] } } },
  { enum: ['red'] },
])('%j is refused by name', (schema) => {
  expect(() => choiceSchema(schema, 'format')).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED_FIELD', details: expect.objectContaining({ argument: 'format' }) }),
  );
});
