import { access, chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';

import { describe, expect, onTestFinished, test } from 'vitest';

import { type FakeRun, runFake } from '../../fixtures/fake-environment.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

const captioned = ({ calls }: FakeRun): unknown[] =>
  calls.filter(({ name }) => name === 'caption').flatMap(({ images }) => images);

describe('--sidecar', () => {
  test('writes each caption next to its image, in one line, and nothing else', async () => {
    const at = await temporaryFolder({ 'a.b.jpg': 'a cat', 'sub/tab\tund ü.png': 'two\nlines  and\ta tab' });
    expect(await runFake(['caption', at(), '-r', '--sidecar', '--quiet'])).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: '',
    });
    expect(await readFile(at('a.b.txt'), 'utf8')).toBe('a cat\n');
    expect(await readFile(at('sub/tab\tund ü.txt'), 'utf8')).toBe('two lines and a tab\n');
    expect([(await readdir(at())).sort(), (await readdir(at('sub'))).sort()]).toEqual([
      ['a.b.jpg', 'a.b.txt', 'sub'],
      ['tab\tund ü.png', 'tab\tund ü.txt'],
    ]);
  });

  test('never overwrites a file, skips its image, and loads no model if all images have one', async () => {
    const at = await temporaryFolder({ 'a.jpg': 'a cat', 'a.txt': 'mine', 'b.jpg': 'a dog' });
    const argv = ['caption', at('a.jpg'), at('b.jpg'), '--sidecar'];
    expect(captioned(await runFake(argv))).toEqual(['a dog']);
    expect(await readFile(at('a.txt'), 'utf8')).toBe('mine');
    expect(await runFake(argv)).toMatchObject({ exitCode: 0, calls: [], stderr: '2 of 2 images were done before.\n' });
    expect(await runFake([...argv, '--quiet'])).toMatchObject({ exitCode: 0, stderr: '' });
    expect(captioned(await runFake([...argv, '--restart']))).toEqual(['a cat', 'a dog']);
    expect(await readFile(at('a.txt'), 'utf8')).toBe('a cat\n');
  });

  test('fails images whose file cannot be written, and captions the others', async () => {
    const at = await temporaryFolder({ 'a.jpg': 'a cat', 'locked/b.jpg': 'a dog', 'c.jpg': 'a fish' });
    // A loop cannot be written, not even by root; a folder that is read-only can.
    await symlink('b.txt', at('locked/b.txt'));
    await mkdir(at('c.txt'));
    const run = await runFake(['caption', at(), '-r', '--sidecar']);
    expect([run.exitCode, captioned(run)]).toEqual([3, ['a cat']]);
    expect(await readFile(at('a.txt'), 'utf8')).toBe('a cat\n');
    expect(run.stderr).toContain(`${at('locked/b.jpg')}: WRITE_FAILED: The output cannot be written`);
    expect(run.stderr).toContain(`${at('c.jpg')}: INVALID_ARGUMENT: The output must be a file`);
    expect(run.stderr).toContain('2 of 3 images failed.');
  });

  test('belong to images only: a folder without images has none', async () => {
    const at = await temporaryFolder({ 'a.jpg': 'a cat', 'b.jpg': 'a dog', 'b.txt': 'mine' });
    await Promise.all(['a', 'b'].map((name) => mkdir(at(name))));
    const run = await runFake(['caption', at('a'), at('a.jpg'), at('b'), '--sidecar', '--quiet']);
    expect([run.exitCode, captioned(run)]).toEqual([3, ['a cat']]);
    expect(run.stderr).toContain(`${at('a')}: MISSING_FILE: `);
    expect(run.stderr).toContain(`${at('b')}: MISSING_FILE: `);
  });

  test.runIf(process.getuid?.() !== 0)('fails the images of a read-only folder', async () => {
    const at = await temporaryFolder({ 'a.jpg': 'a cat', 'locked/b.jpg': 'a dog' });
    await chmod(at('locked'), 0o555);
    onTestFinished(() => chmod(at('locked'), 0o755));
    const run = await runFake(['caption', at(), '-r', '--sidecar']);
    expect([run.exitCode, captioned(run)]).toEqual([3, ['a cat']]);
    expect(run.stderr).toContain(`${at('locked/b.jpg')}: WRITE_FAILED`);
  });

  test('accepts another extension, with or without a dot', async () => {
    const at = await temporaryFolder({ 'a.jpg': 'a cat', 'a.txt': 'mine' });
    expect((await runFake(['caption', at('a.jpg'), '--sidecar', '--sidecar-extension', 'caption'])).exitCode).toBe(0);
    expect(await readFile(at('a.caption'), 'utf8')).toBe('a cat\n');
    expect((await runFake(['caption', at('a.jpg'), '--sidecar-extension', '.v2.txt'])).exitCode).toBe(0);
    expect([await readFile(at('a.v2.txt'), 'utf8'), await readFile(at('a.txt'), 'utf8')]).toEqual(['a cat\n', 'mine']);
  });

  test('keeps finished captions when interrupted, and resumes with the others and with failed images', async () => {
    const at = await temporaryFolder({ '1.jpg': 'one', '2.jpg': 'bad', '3.jpg': 'three' });
    const argv = ['caption', at('1.jpg'), at('2.jpg'), at('3.jpg'), '--sidecar', '--batch-size', '1'];
    let answered = 0;
    const first = await runFake(argv, {
      onCall: ({ name }, signals) => void (name === 'caption' && ++answered === 2 && signals.emit('SIGINT')),
    });
    expect(first).toMatchObject({ exitCode: 130, stderr: expect.stringContaining('to resume') });
    expect((await readdir(at())).filter((name) => !name.endsWith('.jpg'))).toEqual(['1.txt']);
    const second = await runFake(argv);
    expect([second.exitCode, captioned(second)]).toEqual([3, ['three']]);
    await writeFile(at('2.jpg'), 'two');
    expect(captioned(await runFake(argv))).toEqual(['two']);
  });

  test('rejects collisions with captions and images before the model is loaded', async () => {
    const at = await temporaryFolder({ 'a.jpg': 'a', 'a.png': 'b', 'c.jpg': 'c' });
    await mkdir(at('c.txt'));
    for (const argv of [
      [at('a.jpg'), at('a.png'), '--sidecar'],
      [at('a.jpg'), at('a.png'), '--sidecar-extension', '.png'],
      [at('a.jpg'), '--sidecar-extension', 'jpg', '--restart'],
      ['-', '--sidecar'],
      ['https://example.org/a.jpg', '--sidecar'],
      [at('c.jpg'), '--sidecar'],
      [at('a.jpg'), '--sidecar', '-o', at('out.csv')],
      [at('a.jpg'), '--sidecar', '--json'],
      [at('a.jpg'), '--sidecar-extension', '/../b'],
      [at('a.jpg'), '--sidecar-extension', ''],
    ]) {
      expect(await runFake(['caption', ...argv]), argv.join(' ')).toMatchObject({ exitCode: 2, calls: [] });
    }
    expect(await readFile(at('a.jpg'), 'utf8')).toBe('a');
    await expect(access(at('a.txt'))).rejects.toThrow();
    // The same image twice is no two images.
    expect((await runFake(['caption', at('a.jpg'), at('a.jpg'), '--sidecar'])).exitCode).toBe(0);
  });
});
