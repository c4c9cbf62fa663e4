import { chmod, mkdir, rename, symlink, writeFile } from 'node:fs/promises';

import { describe, expect, onTestFinished, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { imagesInFolder } from './image-folder.ts';

/** The argument of a Note about the demo checkpoint is left out. */
const quiet = '--quiet';
const isRoot = process.getuid?.() === 0;

describe('a folder that cannot be read', () => {
  test.skipIf(isRoot)('is an image that failed, once, with its code; the others are done', async () => {
    const at = await temporaryFolder({ 'in/a.png': 'one', 'in/locked/x.png': 'two', 'in/z/b.png': 'three' });
    await chmod(at('in/locked'), 0);
    onTestFinished(() => chmod(at('in/locked'), 0o755));
    const failure = `${at('in/locked')}: MISSING_FILE: The folder cannot be read (${at('in/locked')}): got EACCES\n`;
    expect(await runFake(['caption', '-r', at('in'), quiet])).toMatchObject({
      exitCode: 3,
      stdout: `${at('in/a.png')}\tone\n${at('in/z/b.png')}\tthree\n`,
      stderr: `${failure}1 of 3 images failed.\n`,
    });
    expect(await runFake(['caption', at('in/locked'), at('in/z'), quiet])).toMatchObject({
      exitCode: 3,
      stdout: `${at('in/z/b.png')}\tthree\n`,
      stderr: `${failure}1 of 2 images failed.\n`,
    });
  });

  // Also for root, who may read everything.
  test.runIf(process.platform === 'linux')('is an image that failed if its path is too long', async () => {
    const name = (letter: string): string => letter.repeat(250);
    const deep = Array.from({ length: 15 }, () => name('d')).join('/');
    const at = await temporaryFolder({ [`${deep}/1.png`]: 'one', [`x/${name('e')}/2.png`]: 'two', 'y/3.png': 'three' });
    await mkdir(at(`${deep}/${name('f')}`.slice(0, -20)));
    const moved = at(`${deep}/${name('f')}`.slice(0, -20)) + '/x';
    await rename(at('x'), moved);
    onTestFinished(() => rename(moved, at('x')));
    const run = await runFake(['caption', '-r', at(), quiet]);
    expect(run).toMatchObject({
      exitCode: 3,
      stdout: `${at(deep)}/1.png\tone\n${at('y/3.png')}\tthree\n`,
      stderr: expect.stringContaining(`${moved}/${name('e')}: MISSING_FILE: The folder cannot be read`),
    });
    expect(run.stderr).toContain('): got ENAMETOOLONG\n1 of 3 images failed.\n');
    const matching = await runFake(['caption', at('**/*.png'), quiet]);
    expect([matching.exitCode, matching.stdout]).toEqual([3, run.stdout]);
    expect(matching.stderr).toContain('): got ENAMETOOLONG\n');
  });

  test('is an image that failed if it has vanished', async () => {
    const at = await temporaryFolder();
    expect(await imagesInFolder(at('gone'), true)).toMatchObject({
      images: [{ path: at('gone'), error: { code: 'MISSING_FILE', message: expect.stringContaining('got ENOENT') } }],
    });
  });

  test('does not count as one without images', async () => {
    const at = await temporaryFolder({ 'a/notes.txt': '' });
    await symlink('loop', at('loop'));
    expect(await imagesInFolder(at(), true)).toEqual({ images: [], others: new Set(), hasSubfolders: true });
  });
});

describe('images in folders', () => {
  test('have every extension of the formats that are decoded, in any case', async () => {
    const names = 'a.jfif b.jpe c.JPEG d.pjpeg e.apng f.mpo g.Tif h.avifs i.jif';
    const at = await temporaryFolder(Object.fromEntries(names.split(' ').map((name) => [name, name])));
    const { images } = await imagesInFolder(at(), false);
    expect(images).toEqual(names.split(' ').map((name) => ({ path: at(name) })));
  });

  test('of other formats are counted in one note for all folders', async () => {
    const files = {
      'a.png': 'one',
      'b.HEIC': '',
      'c.bmp': '',
      's/d.heic': '',
      's/e.jpg': 'two',
      'n.txt': '',
      'x.pdf': '',
    };
    const at = await temporaryFolder({ ...files, '.f.heic': '', heic: '' });
    expect(await runFake(['caption', at(), at('s'), at('s')])).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(
        /^Not read: 3 files with \.heic, \.bmp\. Convert them to JPEG, PNG, WebP, GIF, TIFF or AVIF\.\n/,
      ),
    });
    expect(await runFake(['caption', at(), quiet])).toMatchObject({ exitCode: 0, stderr: '' });
    expect((await runFake(['caption', at('a.png')])).stderr).not.toContain('Not read');
  });

  test('of other formats only: the error says so, and what to do', async () => {
    const at = await temporaryFolder({ 'h/a.heic': '', 'h/b.heic': '', 'h/c.bmp': '', 'n/a.jxl': '', 'n/s/b.png': '' });
    await mkdir(at('empty'));
    const error = async (name: string): Promise<string> => (await runFake(['caption', at(name), quiet])).stderr;
    const convert = 'Convert them to JPEG, PNG, WebP, GIF, TIFF or AVIF';
    expect(await error('h')).toBe(
      `${at('h')}: MISSING_FILE: The folder contains no images that can be decoded (${at('h')}): ` +
        `got 3 files with .heic, .bmp. ${convert}\n1 of 1 images failed.\n`,
    );
    expect(await error('n')).toContain(`got 1 file with .jxl. ${convert}. Use --recursive to include its subfolders\n`);
    expect(await error('empty')).toBe(
      `${at('empty')}: MISSING_FILE: The folder contains no images (${at('empty')})\n1 of 1 images failed.\n`,
    );
    await writeFile(at('empty/x.raw'), '');
    expect((await runFake(['caption', at('empty')])).exitCode).toBe(3);
  });
});
