import { readdir, rename, rm } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

test.each(['out.jsonl', 'out.csv', 'out.tsv', 'out.npy'])(
  'a folder that vanishes during a run ends it with a code: %s',
  async (name) => {
    const at = await temporaryFolder({ '1': 'one', '2': 'two', '3': 'three', 'gone/x': '' });
    const command = name.endsWith('.npy') ? 'embed' : 'caption';
    let calls = 0;
    const run = await runFake([command, at('1'), at('2'), at('3'), '--batch-size', '1', '-o', at(`gone/${name}`)], {
      onCall: async (call) => {
        if (call.name === command && ++calls === 2) await rm(at('gone'), { recursive: true });
      },
    });
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain('WRITE_FAILED: The output cannot be written');
    // Not after all images.
    expect(calls).toBe(2);
    expect(await readdir(at())).toEqual(['1', '2', '3']);
  },
);

test('a file that is renamed during a run gets all results', async () => {
  const at = await temporaryFolder({ '1': 'one', '2': 'two' });
  let calls = 0;
  const run = await runFake(['caption', at('1'), at('2'), '--batch-size', '1', '-o', at('out.jsonl')], {
    onCall: async ({ name }) => {
      if (name === 'caption' && ++calls === 2) await rename(at('out.jsonl'), at('moved.jsonl'));
    },
  });
  expect(run.exitCode).toBe(0);
  expect(await readdir(at())).toEqual(['1', '2', 'moved.jsonl', 'out.jsonl.run.json']);
});
