import { readdir, readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';

import { describe, expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const CODES = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const;

describe.each(CODES)('%s', (signal, exitCode) => {
  test.each([
    ['caption', 'out.jsonl', ['out.jsonl', 'out.jsonl.run.json']],
    ['caption', 'out.csv', ['out.csv', 'out.csv.run.json']],
    ['caption', 'out.tsv', ['out.tsv']],
    ['caption', 'out.parquet', ['out.parquet']],
    ['embed', 'out.npy', ['out.npy']],
    ['embed', 'out.safetensors', ['out.safetensors']],
  ])('keeps the finished results of %s in %s', async (command, name, left) => {
    const at = await temporaryFolder({ a: 'a cat', b: 'a dog' });
    let calls = 0;
    const run = await runFake([command, at('a'), at('b'), '--batch-size', '1', '-o', at(name)], {
      onCall: (call, signals) => void (call.name === command && ++calls === 2 && signals.emit(signal)),
    });
    expect([run.exitCode, run.calls.filter((call) => call.name === 'exit' || call.name === 'leak')]).toEqual([
      exitCode,
      [],
    ]);
    expect(run.stderr).toContain('Interrupted: 1 of 2 images done.');
    expect(await readdir(at())).toEqual(['a', 'b', ...left]);
    const text = await readFile(at(name), 'latin1');
    expect([text.includes('a dog'), text.length > 0]).toEqual([false, true]);
  });

  test('keeps the finished vectors of a folder', async () => {
    const at = await temporaryFolder({ a: 'a cat', b: 'a dog' });
    let calls = 0;
    const argv = ['embed', at('a'), at('b'), '--batch-size', '1', '-o', at('out'), '--format', 'clip-retrieval'];
    const run = await runFake(argv, {
      onCall: ({ name }, signals) => void (name === 'embed' && ++calls === 2 && signals.emit(signal)),
    });
    expect(run.exitCode).toBe(exitCode);
    expect((await readdir(at(), { recursive: true })).sort()).toEqual([
      'a',
      'b',
      'out',
      'out/embeddings.run.json',
      'out/img_emb',
      'out/img_emb/img_emb_0.npy',
      'out/metadata',
      'out/metadata/metadata_0.parquet',
    ]);
  });

  test('ends the process if it is sent again', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const run = await runFake(['caption', at('a')], {
      onCall: ({ name }, signals) => void (name === 'caption' && [1, 2].forEach(() => signals.emit(signal))),
    });
    expect(run.calls).toContainEqual(signal === 'SIGINT' ? { name: 'exit' } : { name: 'exit', signal });
  });

  test('ends a conversation', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const stdin = new PassThrough();
    stdin.write('what?\n');
    const run = await runFake(['chat', at('a')], {
      stdin,
      onCall: ({ piece }, signals) => {
        if (piece === ' cat,') signals.emit(signal);
        if (piece === ' cat,' && signal === 'SIGINT') setTimeout(() => signals.emit(signal), 100);
      },
    });
    expect([run.exitCode, run.stdout]).toEqual([exitCode, 'a cat,\n']);
  });
});
