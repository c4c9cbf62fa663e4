import { expect, test } from 'vitest';

import { neededFiles } from './needed-files.ts';
import type { RepositoryFile } from './repository-files.ts';

const tree = (...paths: readonly string[]): RepositoryFile[] =>
  paths.map((path) => ({ path, size: 1 }) as RepositoryFile);
const needed = (...paths: readonly string[]): string[] =>
  neededFiles(tree(...paths), 'a/b', 'model', undefined).map(({ path }) => path);

test('a repository with an adapter only: its configuration and its weights', () => {
  expect(needed('README.md', 'adapter_config.json', 'adapter_model.safetensors', 'optimizer.pt')).toEqual([
    'adapter_config.json',
    'adapter_model.safetensors',
  ]);
});

test('a model and an adapter: the weights of the model', () => {
  const files = needed('adapter_config.json', 'adapter_model.safetensors', 'config.json', 'model.safetensors');
  expect(files).toContain('model.safetensors');
  expect(files).not.toContain('adapter_model.safetensors');
});

test.each([
  ['pickled weights', ['adapter_config.json', 'adapter_model.bin'], /pickled/],
  ['no weights', ['adapter_config.json'], /no weights/],
  ['no configuration', ['adapter_model.safetensors'], /no config\.json/],
])('an adapter with %s is refused', (_, paths, message) => {
  expect(() => needed(...paths)).toThrow(message);
});

test('a repository of open_clip alone: its configuration and its weights', () => {
  expect(needed('README.md', 'open_clip_config.json', 'open_clip_model.safetensors', 'tokenizer.json')).toEqual([
    'open_clip_config.json',
    'tokenizer.json',
    'open_clip_model.safetensors',
  ]);
  expect(() => needed('open_clip_config.json', 'open_clip_pytorch_model.bin')).toThrow(
    /pickled.*got open_clip_pytorch_model\.bin/,
  );
});

test('the weights of a model come before those that open_clip saved next to it', () => {
  const files = needed('config.json', 'model.safetensors', 'open_clip_config.json', 'open_clip_model.safetensors');
  expect(files).toContain('model.safetensors');
  expect(files).not.toContain('open_clip_model.safetensors');
});
