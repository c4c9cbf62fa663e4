import { join } from 'node:path';

import type { Tensor } from '@blip2/interfaces';
import { afterAll, describe, expect, test } from 'vitest';

import { createCaseModels } from './case-models.ts';
import type { EntryKind } from './entry-kind.ts';
import { type GoldenCase, type GoldenEntry, readGoldenCase } from './golden-case.ts';
import { entryKinds } from './kinds/entry-kinds.ts';
import { type EntryKinds, runEntry } from './run-entry.ts';

/** Up to this size every element is damaged in turn; of larger outputs only some, from the first to the last. */
const SMALL_SIZE = 400;
const PLACES = 8;
const golden = await readGoldenCase(join(import.meta.dirname, '../cases/opt'));

/** The same kinds with their results memoized: the library is called once per kind. */
function memoize(kinds: EntryKinds): EntryKinds {
  const results = new Map<unknown, Promise<object>>();
  return new Map(
    [...kinds].map(([name, kind]): [string, EntryKind] => [
      name,
      {
        ...kind,
        run(call) {
          const known = results.get(name) ?? kind.run(call);
          results.set(name, known);
          return known;
        },
      },
    ]),
  );
}

function* damagedCases(
  entry: GoldenEntry,
): Generator<{ readonly what: string; readonly damaged: GoldenCase; readonly entry: GoldenEntry }> {
  for (const [output, value] of entry.outputs) {
    const names = value.form === 'tensor' ? [value.name] : value.form === 'tensors' ? value.names : [];
    for (const name of names) {
      const tensor = golden.tensors.get(name);
      for (const index of places(tensor.data.length))
        yield { what: `${output} ${name}[${index}]`, damaged: withTensor(name, damage(tensor, index, entry)), entry };
    }
    if (value.form !== 'json') continue;
    for (const [path, changed] of changedLeaves(value.value)) {
      yield {
        what: `${output}${path}`,
        damaged: golden,
        entry: { ...entry, outputs: new Map([...entry.outputs, [output, { form: 'json', value: changed }]]) },
      };
    }
  }
}

function places(count: number): readonly number[] {
  return count <= SMALL_SIZE
    ? Array.from({ length: count }, (_, place) => place)
    : Array.from({ length: PLACES }, (_, place) => Math.round((place * (count - 1)) / (PLACES - 1)));
}

/** A copy with one element off by slightly more than twice its tolerance. */
function damage(tensor: Tensor, index: number, { tolerance }: GoldenEntry): Tensor {
  const data = tensor.data.slice();
  const value = Number(data[index]);
  if (tensor.type === 'uint8') data[index] = value > 200 ? value - 5 : value + 5;
  else data[index] = Number.isFinite(value) ? value + 2.1 * (tolerance.atol + tolerance.rtol * Math.abs(value)) : 0;
  return { ...tensor, data };
}

function withTensor(name: string, tensor: Tensor): GoldenCase {
  return {
    ...golden,
    tensors: { ...golden.tensors, get: (each) => (each === name ? tensor : golden.tensors.get(each)) },
  };
}

/** Copies of a nested list, each with one number or text changed. */
function* changedLeaves(value: unknown, path = ''): Generator<[string, unknown]> {
  if (typeof value === 'number') yield [path, value + 1];
  else if (typeof value === 'string') yield [path, `${value} `];
  else if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      for (const [at, changed] of changedLeaves(item, `${path}[${index}]`)) yield [at, value.with(index, changed)];
  }
}

describe('one number changed in an entry of the case opt makes that entry fail', { timeout: 60_000 }, () => {
  const models = createCaseModels(golden.checkpoint);
  afterAll(() => models[Symbol.asyncDispose]());

  test.each(golden.entries.map((entry) => [entry.name, entry] as const))('%s', async (_, entry) => {
    const kinds = memoize(entryKinds);
    expect((await runEntry(golden, models, entry, kinds)).status).toBe('passed');
    let changes = 0;
    for (const { what, damaged, entry: changed } of damagedCases(entry)) {
      changes++;
      const { status, threw } = await runEntry(damaged, models, changed, kinds);
      expect([what, status, threw]).toEqual([what, 'failed', false]);
    }
    expect(changes).toBeGreaterThan(0);
  });
});
