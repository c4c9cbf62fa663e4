import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { tensorSource, writeSafetensors } from '@blip2/checkpoint';
import type { Tensor } from '@blip2/interfaces';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { compareTensors, type Comparison } from '../compare.ts';
import { readGoldenTensors } from '../golden-tensors.ts';
import { ADAPTER_CASES, type AdapterCase, type AdapterRun, readAdapterCase, runAdapterCase } from './adapter-case.ts';
import { type AdapterMutation, adapterMutations } from './adapter-mutations.ts';

const names = await readdir(ADAPTER_CASES);
let scratch = '';
let convertedDir = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-adapters-'));
  convertedDir = join(scratch, 'cache');
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function compare(golden: AdapterCase, options: Partial<AdapterRun> = {}): Promise<Comparison> {
  const actual = await runAdapterCase(golden, { adapters: golden.adapters, convertedDir, ...options });
  expect(actual).toBeDefined();
  return compareTensors(actual as Tensor, golden.tensors.get('output'), golden.tolerance, 'output');
}

test.each(names)('%s: the outputs of PEFT', async (name) => {
  expect((await compare(await readAdapterCase(name))).failure).toBeUndefined();
});

test.each(names)('%s: without adapters, the outputs differ', async (name) => {
  expect((await compare(await readAdapterCase(name), { adapters: [] })).largestRatio).toBeGreaterThan(100);
});

test.each(['int8', 'q8'] as const)('%s: within a tenth of the range of the outputs of PEFT', async (dtype) => {
  for (const name of ['gpt2-conv1d', 'llama-patterns', 'qwen2-tied-head']) {
    const golden = await readAdapterCase(name);
    const { data } = golden.tensors.get('output') as Tensor<'float32'>;
    const range = Math.max(...data.map(Math.abs));
    const { largest } = await compare(golden, { dtype });
    expect(largest).toBeGreaterThan(0);
    expect(largest / range).toBeLessThan(0.1);
  }
});

/** Writes the first adapter of a case with a mutation, and returns all of its adapters. */
async function mutated({ adapters }: AdapterCase, { mutate, name }: AdapterMutation): Promise<readonly string[]> {
  const [first = '', ...others] = adapters;
  const folder = await mkdtemp(join(scratch, `${name.replaceAll(/\W/g, '-')}-`));
  await cp(first, folder, { recursive: true });
  const file = join(folder, 'adapter_config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  const weights = join(folder, 'adapter_model.safetensors');
  const golden = await readGoldenTensors(weights);
  const tensors = new Map(golden.names.map((each) => [each, golden.get(each) as Tensor<'float32'>]));
  const before = [...tensors.values()];
  const options = JSON.stringify(config);
  mutate({ config, tensors });
  expect(options !== JSON.stringify(config) || before.some((tensor, at) => tensor !== [...tensors.values()][at])).toBe(
    true,
  );
  await writeFile(file, JSON.stringify(config));
  await writeSafetensors(
    weights,
    [...tensors].map(([each, tensor]) => tensorSource(each, tensor)),
  );
  return [folder, ...others];
}

describe('mutants', () => {
  test.each(adapterMutations.map((mutation) => [`${mutation.case}: ${mutation.name}`, mutation] as const))(
    '%s',
    async (_, mutation) => {
      const golden = await readAdapterCase(mutation.case);
      const adapters = await mutated(golden, mutation);
      expect((await compare(golden, { adapters })).largestRatio).toBeGreaterThan(10);
    },
  );

  test('a list in which an adapter is left out', async () => {
    const golden = await readAdapterCase('llama-two');
    expect(golden.adapters.map((folder) => basename(folder))).toEqual(['adapter-1', 'adapter-2']);
    for (const adapter of golden.adapters)
      expect((await compare(golden, { adapters: [adapter] })).largestRatio).toBeGreaterThan(10);
  });
});
