import { spawn } from 'node:child_process';
import { readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';

import { processName } from '@blip2/files';
import { describe, expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { lockOutputs } from './output-lock.ts';

const { signal } = new AbortController();
const TIMES = { beat: 50, watch: 400 };
/** A process name of this machine with another process id. */
const named = (id: number): string => processName.replace(/-\d+$/, `-${id}`);

/** The name of a process that had the id of another one before it, where the system tells start times. */
const startedEarlier = (id: number): string =>
  processName.replace(/-\d+$/, `-${process.platform === 'linux' ? '1' : ''}${String(id).padStart(7, '0')}`);

/** The id of a process that has ended. */
async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.on('close', resolve));
  return child.pid ?? 0;
}

describe('two runs into one output', () => {
  test.each(['out.jsonl', 'out.csv', 'out.tsv', 'out.parquet', 'out.html', 'link.jsonl'])(
    'the second one fails at once, and changes nothing: %s',
    async (name) => {
      const at = await temporaryFolder({ a: 'a cat', b: 'a dog' });
      await symlink('out.jsonl', at('link.jsonl'));
      const output = name.endsWith('.html') ? ['--report', at(name)] : ['-o', at(name)];
      let second: ReturnType<typeof runFake> | undefined;
      const first = await runFake(['caption', at('a'), at('b'), ...output, '--batch-size', '1'], {
        onCall: async ({ name: call }) => {
          if (call !== 'caption' || second) return;
          // While the first one runs, by its own name.
          second = runFake(['caption', at('a'), at('b'), ...output.map((each) => each.replace('link', 'out'))]);
          await second;
        },
      });
      expect(first.exitCode).toBe(0);
      const refused = await second;
      expect(refused).toMatchObject({ exitCode: 1, stdout: '', calls: [] });
      expect(refused?.stderr).toMatch(
        new RegExp(`^OUTPUT_IN_USE: Another run is writing the output .*: got process ${process.pid}\\. Wait until`),
      );
      if (name === 'out.jsonl') expect((await readFile(at(name), 'utf8')).trimEnd().split('\n')).toHaveLength(2);
      expect((await readdir(at())).filter((each) => /lock|tmp/.test(each))).toEqual([]);
    },
  );

  test.each([
    ['caption', ['--sidecar'], 'a.txt'],
    ['heatmap', ['-o', 'maps/'], 'maps/a.png'],
  ])('the second one fails at once if both write files of a folder: %s', async (command, options, file) => {
    const at = await temporaryFolder({ 'a.png': 'a cat', 'b.png': 'a dog' });
    const argv = [command, at('a.png'), at('b.png'), ...options.map((each) => each.replace('maps/', at('maps/')))];
    let second: ReturnType<typeof runFake> | undefined;
    const first = await runFake(argv, {
      onCall: async ({ name }) => {
        if (name === 'load' || second) return;
        second = runFake(argv);
        await second;
      },
    });
    expect(first).toMatchObject({ exitCode: 0 });
    expect(await second).toMatchObject({ exitCode: 1, calls: [] });
    expect((await second)?.stderr).toMatch(/^OUTPUT_IN_USE: Another run is writing the output/);
    expect((await stat(at(file))).size).toBeGreaterThan(0);
    expect((await readdir(at(), { recursive: true })).filter((each) => /lock|tmp/.test(each))).toEqual([]);
    // Afterwards, another run may.
    expect(await runFake(argv)).toMatchObject({ exitCode: 0 });
  });

  test('one of two that start together runs', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    let ended = 0;
    // The one that runs does not end before the others have tried.
    const onCall = async ({ name }: { readonly name: string }): Promise<void> => {
      while (name === 'caption' && ended < 2) await new Promise(setImmediate);
    };
    const start = (): ReturnType<typeof runFake> =>
      runFake(['caption', at('a'), '-o', at('out.jsonl')], { onCall }).finally(() => ended++);
    const runs = await Promise.all([start(), start(), start()]);
    expect(runs.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1, 1]);
    expect((await readFile(at('out.jsonl'), 'utf8')).trimEnd().split('\n')).toHaveLength(1);
  });

  test('for embeddings of texts and in a folder', async () => {
    const at = await temporaryFolder();
    for (const output of [
      ['-o', at('out.npy')],
      ['-o', at('index/'), '--format', 'clip-retrieval'],
    ]) {
      const argv = ['embed', '-t', 'a', ...output];
      const runs = await Promise.all([runFake(argv), runFake(argv)]);
      expect(runs.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1]);
    }
  });
});

describe('a lock', () => {
  test('of a killed run does not block, and its temporary files are deleted', async () => {
    const ended = named(await endedProcess());
    const at = await temporaryFolder({
      a: 'a cat',
      'out.tsv.blip2.lock': `${ended} x`,
      [`out.tsv.${ended}-0123abcd.tmp`]: 'half',
      [`other.tsv.${ended}-0123abcd.tmp`]: 'half',
    });
    expect((await runFake(['caption', at('a'), '-o', at('out.tsv')])).exitCode).toBe(0);
    expect(await readdir(at())).toEqual(['a', `other.tsv.${ended}-0123abcd.tmp`, 'out.tsv']);
  });

  test.each([
    ['this process, which does not hold it', () => `${processName} x`],
    ['a process whose id is used again', () => `${startedEarlier(process.ppid)} x`],
  ])('of %s does not block', async (_what, content) => {
    const at = await temporaryFolder({ 'out.blip2.lock': content() });
    await (await lockOutputs([at('out')], signal, TIMES))[Symbol.asyncDispose]();
    expect(await readdir(at())).toEqual([]);
  });

  test('of another machine blocks while it is updated', async () => {
    const at = await temporaryFolder({ 'out.blip2.lock': '00000000-7 x' });
    // A clock that is behind does not matter.
    let time = 1000;
    const beat = setInterval(() => void utimes(at('out.blip2.lock'), time, time++), 50);
    try {
      await expect(lockOutputs([at('out')], signal, TIMES)).rejects.toMatchObject({
        code: 'OUTPUT_IN_USE',
        details: { got: 'process 7' },
      });
    } finally {
      clearInterval(beat);
    }
    await (await lockOutputs([at('out')], signal, TIMES))[Symbol.asyncDispose]();
    expect(await readdir(at())).toEqual([]);
  });

  test('without content blocks until it is written', async () => {
    const at = await temporaryFolder({ 'out.blip2.lock': '' });
    const locking = lockOutputs([at('out')], signal, TIMES);
    setTimeout(() => void writeFile(at('out.blip2.lock'), `${named(process.ppid)} - x`), 100);
    await expect(locking).rejects.toMatchObject({ code: 'OUTPUT_IN_USE' });
  });

  test('is updated by its owner and given up by an interrupted wait', async () => {
    const at = await temporaryFolder({ 'out.blip2.lock': '00000000-7 x' });
    const controller = new AbortController();
    const waiting = lockOutputs([at('out')], controller.signal, { beat: 50, watch: 60_000 });
    setTimeout(() => controller.abort(), 100);
    await expect(waiting).rejects.toThrow(/abort/);
    await using lock = await lockOutputs([at('mine')], signal, TIMES);
    expect(lock).toBeDefined();
    await utimes(at('mine.blip2.lock'), 1, 1);
    await expect.poll(async () => (await stat(at('mine.blip2.lock'))).mtimeMs).toBeGreaterThan(2000);
  });
});
