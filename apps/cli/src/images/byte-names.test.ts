import { readdir, readFile, rename, writeFile } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { stdinWith } from '../fixtures/fake-streams.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

/** A folder with images whose names are not UTF-8 (`é`, `è` in Latin-1), one of them in a folder with such a name. */
async function byteNames(): Promise<(name?: string) => string> {
  const at = await temporaryFolder({ 'in/1': 'one', 'in/2': 'two', 'in/plain.png': 'three', 'in/d/4.png': 'four' });
  await rename(at('in/1'), latin1(at('in/caf\xe9.png')));
  await rename(at('in/2'), latin1(at('in/caf\xe8.png')));
  await rename(at('in/d'), latin1(at('in/d\xff')));
  return at;
}

const latin1 = (path: string): Buffer => Buffer.from(path, 'latin1');
const NAMES = ['in/caf\\xe8.png', 'in/caf\\xe9.png', 'in/plain.png', 'in/d\\xff/4.png'];
const TEXTS = ['two', 'one', 'three', 'four'];

describe.runIf(process.platform === 'linux')('images whose names are not UTF-8', () => {
  test('are done, each under its own name', async () => {
    const at = await byteNames();
    expect(await runFake(['caption', '-r', at('in'), '--quiet'])).toMatchObject({
      exitCode: 0,
      stdout: NAMES.map((name, index) => `${at(name)}\t${TEXTS[index]}\n`).join(''),
      stderr: '',
    });
    const json = (await runFake(['caption', '-r', at('in'), '--quiet', '--json'])).stdout.trimEnd().split('\n');
    expect(json.map((line) => JSON.parse(line).image)).toEqual(NAMES.map(at));
  });

  test.each(['out.jsonl', 'out.csv'])('are resumed in %s', async (file) => {
    const at = await byteNames();
    const argv = ['caption', '-r', at('in'), '--batch-size', '1', '-o', at(file)];
    let answered = 0;
    const first = await runFake(argv, {
      onCall: ({ name }, signals) => void (name === 'caption' && ++answered === 2 && signals.emit('SIGINT')),
    });
    expect(first.exitCode).toBe(130);
    const second = await runFake(argv);
    expect(second.calls.flatMap(({ images }) => images ?? [])).toEqual(TEXTS.slice(1));
    expect(await runFake(argv)).toMatchObject({ exitCode: 0, stderr: '4 of 4 images were done before.\n' });
    const lines = (await readFile(at(file), 'utf8')).trimEnd().split('\n');
    const images = file.endsWith('.csv')
      ? lines.slice(1).map((line) => line.split(',')[0])
      : lines.map((line) => JSON.parse(line).image);
    expect(images).toEqual(NAMES.map(at));
  });

  test('have sidecars with the same bytes, which count as done', async () => {
    const at = await byteNames();
    const argv = ['caption', '-r', at('in'), '--sidecar'];
    expect((await runFake(argv)).exitCode).toBe(0);
    expect(await readFile(latin1(at('in/caf\xe9.txt')), 'utf8')).toBe('one\n');
    expect(await readFile(latin1(at('in/d\xff/4.txt')), 'utf8')).toBe('four\n');
    expect((await readdir(at('in'), 'latin1')).sort()).toEqual(
      ['caf\xe8.png', 'caf\xe8.txt', 'caf\xe9.png', 'caf\xe9.txt', 'd\xff', 'plain.png', 'plain.txt'].sort(),
    );
    expect(await runFake(argv)).toMatchObject({ exitCode: 0, calls: [] });
  });

  test('have cards on a contact sheet', async () => {
    const at = await byteNames();
    expect((await runFake(['caption', '-r', at('in'), '--report', at('sheet.html')])).exitCode).toBe(0);
    const sheet = await readFile(at('sheet.html'), 'utf8');
    expect(NAMES.filter((name) => !sheet.includes(at(name)))).toEqual([]);
  });

  test('match patterns and entries of lists: bytes, escapes of Python, names in outputs', async () => {
    const at = await byteNames();
    const images = async (argument: string, stdin = stdinWith()): Promise<unknown[]> => {
      const { calls, stderr } = await runFake(['caption', argument, '--quiet'], { stdin });
      expect(stderr).toBe('');
      return calls.flatMap((call) => call['images'] ?? []);
    };
    expect(await images(at('in/caf*.png'))).toEqual(['two', 'one']);
    expect(await images(at('in/d*/*.png'))).toEqual(['four']);
    await writeFile(at('list.txt'), 'in/caf\xe9.png\r\nin/d\xff/4.png\r\n', 'latin1');
    expect(await images(`@${at('list.txt')}`)).toEqual(['one', 'four']);
    expect(await images('@-', stdinWith(latin1(at('in/caf\xe8.png\0')), latin1(at('in/plain.png\0'))))).toEqual([
      'two',
      'three',
    ]);
    await writeFile(at('list.jsonl'), '"in/caf\\udce9.png"\n{"image":"in/caf\\\\xe8.png"}\n');
    expect(await images(`@${at('list.jsonl')}`)).toEqual(['one', 'two']);
    expect(await images(at('in/caf\\xe9.png'))).toEqual(['one']);
    expect(await images(`file://${at('in/caf%E9.png')}`)).toEqual(['one']);
  });

  test('are not overwritten by an output', async () => {
    const at = await byteNames();
    await writeFile(at('list.txt'), 'in/caf\xe9.png\n', 'latin1');
    await rename(latin1(at('in/caf\xe9.png')), at('in/x.png'));
    const { link } = await import('node:fs/promises');
    await link(at('in/x.png'), latin1(at('in/caf\xe9.png')));
    for (const image of [`@${at('list.txt')}`, `file://${at('in/caf%E9.png')}`, `file://${at('in/x.png')}`])
      expect(await runFake(['caption', image, '-o', at('in/x.png')])).toMatchObject({ exitCode: 2, calls: [] });
    expect(await readFile(at('in/x.png'), 'utf8')).toBe('one');
  });
});
