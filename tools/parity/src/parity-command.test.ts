import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { parityCommand } from './parity-command.ts';

interface Entry {
  name: string;
  kind: string;
  inputs: Record<string, unknown>;
  options: Record<string, unknown>;
  outputs: Record<string, unknown>;
  tolerance: { atol: number; rtol: number };
}

const cases = join(import.meta.dirname, '../cases');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-parity-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await parityCommand(args, { print: (line) => out.push(line), complain: (line) => err.push(line) });
  return { code, out, err };
}

/** A copy of the case `logits` with its first entry only, changed. */
async function changedCase(change: (entry: Entry, manifest: Record<string, unknown>) => void): Promise<string> {
  const copy = await mkdtemp(join(folder, 'case-'));
  await cp(join(cases, 'logits'), copy, { recursive: true });
  const manifest: Record<string, unknown> & { entries: Entry[] } = JSON.parse(
    await readFile(join(copy, 'golden.json'), 'utf8'),
  );
  manifest.entries = manifest.entries.slice(0, 1);
  for (const entry of manifest.entries) change(entry, manifest);
  await writeFile(join(copy, 'golden.json'), JSON.stringify(manifest));
  return copy;
}

describe('npm run parity', () => {
  test('prints a line per entry and the closing line, writes JSON, and returns 0', async () => {
    const json = join(folder, 'result.json');
    const { code, out } = await run(cases, '--only', 'logits', '--json', json);
    expect(code).toBe(0);
    expect(out).toHaveLength(62);
    expect(out[0]).toMatch(
      /^logits {2}temperature\/scores {2}\d+ elements, largest \S+, tolerance 0.00001 \+ 0.00001·\|e\| {2}passed$/,
    );
    expect(out.at(-1)).toBe('61 passed, 0 failed, 0 skipped');
    const rows: unknown[] = JSON.parse(await readFile(json, 'utf8'));
    expect(rows).toHaveLength(61);
    expect(rows[0]).toEqual({
      case: 'logits',
      name: 'temperature/scores',
      kind: 'logits_processor',
      status: 'passed',
      elements: expect.any(Number),
      largest: expect.any(Number),
      tolerance: { atol: 1e-5, rtol: 1e-5 },
    });
  });

  test.each<[string, (entry: Entry, manifest: Record<string, unknown>) => void, RegExp]>([
    ['an unknown kind', (entry) => (entry.kind = 'fortune_telling'), /unknown kind fortune_telling/],
    ['an unknown option', (entry) => (entry.options['colour'] = 1), /unknown option colour/],
    ['an option of another class', (entry) => (entry.options['top_k'] = 1), /no such argument/],
    ['an unknown input', (entry) => (entry.inputs['weather'] = 1), /unknown input weather/],
    ['a missing tensor', (entry) => (entry.inputs['scores'] = { tensor: 'nowhere' }), /has no such tensor/],
    ['an output that is not produced', (entry) => (entry.outputs['wisdom'] = [1]), /wisdom: nothing was produced/],
    ['an entry that compares nothing', (entry) => (entry.outputs = {}), /nothing was compared/],
    ['another result', (entry) => (entry.options['temperature'] = 0.71), /scores\[0, \d+\]: expected/],
  ])('fails on %s', async (_, change, reason) => {
    const { code, out, err } = await run(await changedCase(change));
    expect(out[0]).toMatch(/failed \(/);
    expect(err).toEqual(['logits/temperature/scores failed']);
    expect(out[0]).toMatch(reason);
    expect(out.at(-1)).toBe('0 passed, 1 failed, 0 skipped');
    expect(code).toBe(1);
  });

  test('returns 1 if a case cannot be read, cannot be found, or there is none', async () => {
    const other = await run(await changedCase((_, manifest) => (manifest['format'] = 'blip2-golden/9')));
    expect([other.code, other.err[0]]).toEqual([1, expect.stringMatching(/golden format is unknown/)]);
    const missing = await run(cases, '--only', 'nothing');
    expect([missing.code, missing.err[0]]).toEqual([1, 'no case is called nothing']);
    expect((await run(join(cases, 'opt', 'images'))).code).toBe(1);
  });

  test('returns 2 and prints the usage for invalid arguments', async () => {
    expect(await run()).toMatchObject({ code: 2, err: [expect.stringMatching(/usage: npm run parity/)] });
    expect((await run(cases, '--colour')).code).toBe(2);
    expect((await run(cases, cases)).code).toBe(2);
  });
});
