import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { repository, spawnBlip2, type SpawnedRun } from '../fixtures/spawn-blip2.ts';

const base = join(repository, 'tools/parity/cases/opt/checkpoint');
const adapter = join(repository, 'tools/parity/cases/values/adapters/opt-blip2/adapter-1');
const image = join(repository, 'examples/left-of.png');
let scratch = '';
let own = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-adapter-option-'));
  own = join(scratch, 'own');
  await cp(adapter, own, { recursive: true });
  await setOption({ base_model_name_or_path: base });
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function setOption(options: object): Promise<void> {
  const file = join(own, 'adapter_config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...config, ...options }));
}

const caption = (...options: readonly string[]): Promise<SpawnedRun> =>
  spawnBlip2(['caption', image, '--max-new-tokens', '6', ...options]);

test('adapters change the results; all that are given apply; an adapter is a model', async () => {
  const plain = await caption('-m', base);
  const one = await caption('-m', base, '--adapter', adapter);
  expect([plain.exitCode, one.exitCode, one.stderr]).toEqual([0, 0, '']);
  expect(one.stdout).not.toBe(plain.stdout);
  expect((await caption('-m', own)).stdout).toBe(one.stdout);
  // It replaces a tensor, as the first one does.
  expect(await caption('-m', base, '--adapter', adapter, '--adapter', own)).toMatchObject({
    stderr: expect.stringMatching(/^INVALID_ARGUMENT: Two adapters replace the same tensor/) as string,
  });
}, 60_000);

test('inspect checks whether an adapter fits', async () => {
  expect((await spawnBlip2(['inspect', base, '--adapter', adapter])).exitCode).toBe(0);
  expect((await spawnBlip2(['inspect', own])).exitCode).toBe(0);
  const other = join(repository, 'tools/parity/cases/values/adapters/llama-patterns/adapter-1');
  expect(await spawnBlip2(['inspect', base, '--adapter', other])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/^MISSING_WEIGHT: The base model has no module/) as string,
  });
}, 60_000);

test('an output is not resumed with an adapter of other contents', async () => {
  const output = ['-o', join(scratch, 'captions.jsonl')];
  expect((await caption('-m', base, '--adapter', own, ...output)).exitCode).toBe(0);
  expect((await caption('-m', base, '--adapter', own, ...output)).exitCode).toBe(0);
  await setOption({ lora_alpha: 7 });
  expect(await caption('-m', base, '--adapter', own, ...output)).toMatchObject({
    stderr: expect.stringContaining('adapters') as string,
  });
  expect((await caption('-m', base, ...output)).exitCode).not.toBe(0);
}, 60_000);

test.each(['ask', 'bench', 'caption', 'chat', 'compare', 'embed', 'export', 'heatmap', 'inspect', 'match', 'rank'])(
  '%s has --adapter',
  async (command) => {
    expect((await spawnBlip2([command, '--help'])).stdout).toContain('--adapter <folder>');
  },
);
