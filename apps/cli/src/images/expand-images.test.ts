import { symlink } from 'node:fs/promises';
import { relative } from 'node:path';
import { pathToFileURL } from 'node:url';

import { describe, expect, test } from 'vitest';

import { CollectedStream, stdinWith } from '../fixtures/fake-streams.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { expandImages } from './expand-images.ts';

const expand = async (args: string[], recursive = false, stdin = stdinWith()): Promise<string[]> =>
  (
    await expandImages(
      args,
      { recursive, signal: new AbortController().signal },
      { stdin, stderr: new CollectedStream() },
    )
  ).map((input) => ('error' in input ? `${input.name}: ${input.error.code}` : input.name));

describe('folders', () => {
  test('yield their images in natural order, without hidden and other files', async () => {
    const at = await temporaryFolder({
      'f10.png': '',
      'f2.JPG': '',
      'f1.webp': '',
      'notes.txt': '',
      '.hidden.png': '',
      'deep/f3.png': '',
    });
    expect(await expand([at()])).toEqual(['f1.webp', 'f2.JPG', 'f10.png'].map(at));
    expect(await expand([at()], true)).toEqual(['f1.webp', 'f2.JPG', 'f10.png', 'deep/f3.png'].map(at));
  });

  test('are read once even if a link points back', async () => {
    const at = await temporaryFolder({ 'a/1.png': '' });
    await symlink(at(), at('a/loop'));
    expect(await expand([at()], true)).toEqual([at('a/1.png')]);
  });

  test('yield only files: reading a device or a pipe may never end', async () => {
    const at = await temporaryFolder({ '1.png': '' });
    await symlink('/dev/null', at('2.png'));
    await symlink(at('nowhere'), at('3.png'));
    expect(await expand([at()])).toEqual(['1.png', '3.png'].map(at));
  });

  test('without images are an input that failed', async () => {
    const at = await temporaryFolder({ 'deep/f3.png': '' });
    expect(await expand([at()])).toEqual([`${at()}: MISSING_FILE`]);
  });
});

describe('patterns', () => {
  test('are expanded, absolute and relative, in natural order', async () => {
    const at = await temporaryFolder({ 'f10.png': '', 'f2.png': '', 'deep/f3.png': '', 'x.jpg': '' });
    expect(await expand([at('*.png')])).toEqual(['f2.png', 'f10.png'].map(at));
    expect(await expand([at('**/*.{png,jpg}')])).toEqual(['deep/f3.png', 'f2.png', 'f10.png', 'x.jpg'].map(at));
    const relativeTo = (name: string): string => relative(process.cwd(), at(name));
    expect(await expand([relativeTo('f?.png')])).toEqual([relativeTo('f2.png')]);
  });

  test('are ignored if a file has exactly this name', async () => {
    const at = await temporaryFolder({ 'a[1].png': '', 'a1.png': '' });
    expect(await expand([at('a[1].png')])).toEqual([at('a[1].png')]);
  });

  test('may have folders with brackets and parentheses in their names', async () => {
    const at = await temporaryFolder({ 'x [2024] (1)/a.png': '', 'x [2024] (1)/b/c.png': '' });
    expect(await expand([at('x [2024] (1)/*.png')])).toEqual([at('x [2024] (1)/a.png')]);
    expect(await expand([at('x [2024] (1)/**/*.png')])).toEqual(
      ['a.png', 'b/c.png'].map((name) => at(`x [2024] (1)/${name}`)),
    );
  });

  test('without a match are an input that failed', async () => {
    const at = await temporaryFolder();
    expect(await expand([at('*.png')])).toEqual([`${at('*.png')}: MISSING_FILE`]);
  });
});

describe('lists', () => {
  test('have one path or URL per line, relative to the list', async () => {
    const at = await temporaryFolder({ 'list.txt': '\uFEFFa b.png\r\n\r\n/abs/ü.png\nhttps://example.org/x.jpg' });
    expect(await expand([`@${at('list.txt')}`])).toEqual([at('a b.png'), '/abs/ü.png', 'https://example.org/x.jpg']);
  });

  test('with .jsonl have strings or objects with "image"', async () => {
    const at = await temporaryFolder({ 'list.jsonl': '"a.png"\n{"image":"sub/b.png","width":3}\n' });
    expect(await expand([`@${at('list.jsonl')}`])).toEqual([at('a.png'), at('sub/b.png')]);
  });

  test('can have entries that end with NUL, as find -print0 writes them, with line feeds in names', async () => {
    const at = await temporaryFolder({ 'list.txt': 'a b.png\0two\nlines.png\0' });
    expect(await expand([`@${at('list.txt')}`])).toEqual([at('a b.png'), at('two\nlines.png')]);
  });

  test('can be read from stdin with @-, relative to the working folder', async () => {
    expect(await expand(['@-'], false, stdinWith('a.png\nb.png\n'))).toEqual(['a.png', 'b.png']);
  });

  test('that are missing or invalid fail as a whole, with the line', async () => {
    const at = await temporaryFolder({ 'list.jsonl': '"a.png"\n{"image":1}\n' });
    await expect(expand([`@${at('no.txt')}`])).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await expect(expand([`@${at('list.jsonl')}`])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { where: `${at('list.jsonl')}:2` },
    });
  });
});

describe('other arguments', () => {
  test('keep their order and their names: paths, URLs, stdin', async () => {
    expect(await expand(['-', './@x.png', 'http://example.org/a.png', 'b.png', 'b.png'])).toEqual([
      '-',
      './@x.png',
      'http://example.org/a.png',
      'b.png',
      'b.png',
    ]);
  });

  test('a file: URL of a folder is the folder', async () => {
    const at = await temporaryFolder({ 'a b/1.png': '', 'a b/2.png': '' });
    expect(await expand([pathToFileURL(at('a b')).href])).toEqual([at('a b/1.png'), at('a b/2.png')]);
    expect(await expand([pathToFileURL(at('a b/1.png')).href])).toEqual([pathToFileURL(at('a b/1.png')).href]);
  });

  test('data URLs have short names, one for each content', async () => {
    const long = 'A'.repeat(10_000);
    const names = await expand([`data:image/png;base64,${long}`, `data:image/png;base64,${long}B`, 'data:secret']);
    expect(names).toEqual([
      expect.stringMatching(/^data:image\/png,sha256=[\da-f]{16}$/),
      expect.stringMatching(/^data:image\/png,sha256=[\da-f]{16}$/),
      expect.stringMatching(/^data:secret,sha256=[\da-f]{16}$/),
    ]);
    expect(new Set(names).size).toBe(3);
  });

  test('can name stdin only once', async () => {
    await expect(expand(['-', '@-'])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
