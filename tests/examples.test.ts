import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { expect, test } from 'vitest';

const examples = join(import.meta.dirname, '../examples');
const run = (name: string): string[] =>
  execFileSync(process.execPath, [join(examples, name)], { encoding: 'utf8' })
    .trim()
    .split('\n');

test('caption.mjs captions an image and answers a question about it', () => {
  expect(run('caption.mjs')).toEqual(['a blue triangle to the left of a small yellow circle', 'blue']);
});

test('conversation.mjs ranks answers and holds a conversation', () => {
  expect(run('conversation.mjs')).toEqual([
    'blue 1.00',
    'green 0.00',
    'red 0.00',
    'what shape is on the left? triangle',
    'how many objects are there? two',
  ]);
});

test('assemble.mjs assembles a pipeline from parts', () => {
  expect(run('assemble.mjs')).toEqual([
    'pixelValues [1, 3, 64, 64]',
    'patches [1, 65, 128]',
    'queries [1, 12, 96]',
    'prefix [1, 12, 128]',
    'a blue triangle to the left of a small yellow circle',
  ]);
});

test('swap-vision.mjs gives the same text with plain functions and with the container', () => {
  const [warning, byFunctions, byContainer] = run('swap-vision.mjs');
  expect(warning).toContain('mean nothing');
  expect(byFunctions?.replace('plain functions: ', '')).toBe(byContainer?.replace('container: ', ''));
  expect(byFunctions).not.toContain('a blue triangle to the left of a small yellow circle');
});

test('match.mjs scores image-text pairs and finds the image for each text', () => {
  const lines = run('match.mjs');
  expect(lines.slice(3)).toEqual([
    'three green triangles: three-of-a-kind.png',
    'a large yellow star: one-large-star.png',
  ]);
  expect(lines.slice(0, 2)).toEqual([
    'one-large-star.png 0.01 -0.09 0.99 0.88',
    'three-of-a-kind.png 1.00 0.96 0.00 -0.01',
  ]);
});

test('swap-language.mjs gives the same text with plain functions and with the container', () => {
  const [warning, byFunctions, byContainer] = run('swap-language.mjs');
  expect(warning).toContain('mean nothing');
  expect(byFunctions).toMatch(/^plain functions: ".+"$/);
  expect(byFunctions?.replace('plain functions: ', '')).toBe(byContainer?.replace('container: ', ''));
});

test('swap-clip.mjs gives the same text with plain functions and with the container', () => {
  const [warning, byFunctions, byContainer] = run('swap-clip.mjs');
  expect(warning).toContain('mean nothing');
  expect(byFunctions).toMatch(/^plain functions: .+/);
  expect(byFunctions?.replace('plain functions: ', '')).toBe(byContainer?.replace('container: ', ''));
  expect(byFunctions).not.toContain('a blue triangle to the left of a small yellow circle');
});

const blip2 = (...argv: string[]): string =>
  execFileSync(process.execPath, [join(examples, '../apps/cli/bin/blip2.js'), ...argv, '--quiet'], { encoding: 'utf8' })
    .trim()
    .split('\t')
    .at(-1) ?? '';

test('module-own-encoder.mjs replaces the encoder of the command, with the same caption as in code', () => {
  const [, byFunctions] = run('swap-vision.mjs');
  const module = ['--module', join(examples, 'module-own-encoder.mjs')];
  expect(`plain functions: ${blip2('caption', join(examples, 'left-of.png'), ...module)}`).toBe(byFunctions);
});

test('module-without-colors.mjs prevents the generation of colors', () => {
  const module = ['--module', join(examples, 'module-without-colors.mjs')];
  expect(blip2('caption', join(examples, 'left-of.png'), ...module)).toBe('a small circle');
  expect(blip2('ask', join(examples, 'left-of.png'), '-q', 'what color is the triangle?', ...module)).not.toBe('blue');
});
