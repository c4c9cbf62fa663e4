import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import * as generate from './index.ts';

interface Example {
  readonly name: string;
  readonly code: string;
}

/** The examples of all logits processors and samplers, by the name of the function that they document. */
const examples = ['processors', 'samplers']
  .flatMap((folder) => readdirSync(join(import.meta.dirname, folder)).map((file) => join(folder, file)))
  .filter((file) => !file.endsWith('.test.ts'))
  .flatMap((file): Example[] => {
    const source = readFileSync(new URL(file, import.meta.url), 'utf8');
    const blocks = source.matchAll(/```ts\n((?:(?!```).)*)```(?:(?!```).)*?export (?:function|const) (\w+)/gs);
    return [...blocks].map(([, code = '', name = '']) => ({ name, code: code.replace(/^ \* ?/gm, '') }));
  });

test('every logits processor and sampler has an example', () => {
  const documented = examples.map(({ name }) => name);
  const exported = Object.keys(generate).filter((name) => !NOT_PROCESSORS.has(name));
  expect(documented.sort()).toEqual(exported.sort());
});

/** Exports that are neither logits processors nor samplers. */
const NOT_PROCESSORS = new Set([
  'batchDecodings',
  'createIncrementalDecoder',
  'createLogitsProcessors',
  'createRandom',
  'createTextStreamer',
  'generate',
  'generateSteps',
  'randomSeed',
  'runAhead',
  'sequenceLogProbs',
  'stopStrings',
  'validateGenerationOptions',
]);

test.each(examples)('the example of $name returns its documented value', ({ code }) => {
  const [, statements = '', result = '', documented = ''] = /^(.*?)([^\n;]*); \/\/ ([^\n]*)\n$/s.exec(code) ?? [];
  const run = new Function(...Object.keys(generate), `${statements}; return [${result}, ${documented}];`);
  const [actual, expected]: unknown[] = run(...Object.values(generate));
  expect(actual instanceof Float32Array ? [...actual] : actual).toEqual(expected);
});
