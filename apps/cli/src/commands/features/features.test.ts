import { readdir, readFile, writeFile } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

const archive = new URL('../../../../../examples/shapes.tar', import.meta.url).pathname;

describe('blip2 features', () => {
  test('computes the features of images once', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'bb', 'list.txt': 'a\nb\n' });
    const first = await runFake(['features', at('a'), at('b'), '-o', at('out')]);
    expect(first).toMatchObject({ exitCode: 0, stdout: '' });
    expect(first.stderr).toContain('2 of 2 images encoded, 0 known before, 0 failed.\n');
    expect(await readdir(at('out'))).toEqual(['features-00000.safetensors', 'features.json']);
    const again = await runFake(['features', `@${at('list.txt')}`, '-o', at('out'), '--json']);
    expect(again.calls.filter(({ name }) => name === 'encode')).toEqual([]);
    expect(
      again.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).status),
    ).toEqual(['known', 'known']);
  });
  test('reads the images of pairs and of archives', async () => {
    const at = await temporaryFolder({ a: 'a' });
    await writeFile(at('pairs.jsonl'), '{"image":"a","caption":"x"}\n{"image":"a","caption":"y"}\n');
    const { exitCode, stdout, calls } = await runFake([
      'features',
      at('pairs.jsonl'),
      archive,
      '-o',
      at('out'),
      '--json',
      '--batch-size',
      '4',
    ]);
    expect(exitCode).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ status }) => status)).toEqual(['encoded', 'known', ...Array(6).fill('encoded')]);
    expect(lines[2].image).toBe(`${archive}/four-objects.png`);
    expect(calls.filter(({ name }) => name === 'encode')).toHaveLength(2);
  });
  test('names the images that fail, and ends with 3', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'broken' });
    const { exitCode, stderr } = await runFake(['features', at('a'), at('b'), at('none'), '-o', at('out')]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`${at('b')}: INVALID_IMAGE: `);
    expect(stderr).toContain(`${at('none')}: MISSING_FILE: `);
    expect(stderr).toContain('1 of 3 images encoded, 0 known before, 2 failed.');
  });
  test('keeps what it has when it is interrupted', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'bb' });
    const args = ['features', at('a'), at('b'), '-o', at('out'), '--batch-size', '1'];
    const { exitCode, stderr } = await runFake(args, {
      onCall: ({ name, images }, signals) =>
        void (name === 'encode' && String(images) === 'bb' && signals.emit('SIGINT')),
    });
    expect(exitCode).toBe(130);
    expect(stderr).toContain('Interrupted: 1 of 1 images encoded');
    const { calls } = await runFake(args);
    expect(calls.filter(({ name }) => name === 'encode')).toMatchObject([{ images: ['bb'] }]);
  });
  test.each([
    [['-o', 'out'], /missing required argument|input/i],
    [['a'], /-o|--output/],
    [['a', '-o', 'OUT', '--adapter', 'x'], /--adapter must be omitted/],
    [['a', '-o', 'OUT', '--language', 'x'], /--language must be omitted/],
    [['none.tar', '-o', 'OUT'], /MISSING_FILE/],
  ])('refuses %j', async (args, message) => {
    const at = await temporaryFolder({ a: 'a' });
    const { exitCode, stderr } = await runFake(['features', ...args.map((arg) => (/^[aO]/.test(arg) ? at(arg) : arg))]);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(message);
  });
  test('never writes to a folder with other files', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const { exitCode, stderr } = await runFake(['features', at('a'), '-o', at('.')]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/OUTPUT_IN_USE/);
    expect(await readFile(at('a'), 'utf8')).toBe('a');
  });
});
