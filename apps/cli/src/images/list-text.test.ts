import { readFile, symlink, writeFile } from 'node:fs/promises';

import { describe, expect, test, vi } from 'vitest';

import { CollectedStream, stdinWith } from '../fixtures/fake-streams.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { expandImages } from './expand-images.ts';
import { entriesOf } from './list-text.ts';

const texts = (bytes: Uint8Array): string[] => entriesOf(bytes, 'list.txt').map(({ text }) => text);
const LIST = 'a.png\r\nÜ b.png\r\n\r\n日本.jpg\r\n';
const ENTRIES = ['a.png', 'Ü b.png', '日本.jpg'];
const swapped = (bytes: Buffer): Buffer => Buffer.from(bytes).swap16();

describe('the encoding of a list', () => {
  test.each([
    ['UTF-8', Buffer.from(LIST)],
    ['UTF-8 with a byte order mark', Buffer.from(`\uFEFF${LIST}`)],
    ['UTF-16LE with a byte order mark', Buffer.from(`\uFEFF${LIST}`, 'utf16le')],
    ['UTF-16BE with a byte order mark', swapped(Buffer.from(`\uFEFF${LIST}`, 'utf16le'))],
  ])('%s is read', (_name, bytes) => {
    expect(texts(bytes)).toEqual(ENTRIES);
  });

  test.each([
    ['UTF-16 without a byte order mark', Buffer.from(LIST, 'utf16le')],
    ['UTF-16 without a byte order mark', swapped(Buffer.from(LIST, 'utf16le'))],
    ['UTF-32', Buffer.from('\xff\xfe\0\0a\0\0\0', 'latin1')],
    ['UTF-32', Buffer.from('\0\0\xfe\xff\0\0\0a', 'latin1')],
  ])('%s is refused with one message', (got, bytes) => {
    expect(() => texts(bytes)).toThrow(
      'The encoding of the list must be UTF-8, or UTF-16 with a byte order mark, ' +
        `got "${got}" (list.txt). Save it as UTF-8`,
    );
  });

  test('entries that end with NUL are not UTF-16, even if they are short', () => {
    expect(texts(Buffer.from('.\0./a\0./b\0c\0d\0e\0'))).toEqual(['.', './a', './b', 'c', 'd', 'e']);
  });

  test('an image or a spreadsheet is no list', () => {
    expect(() => texts(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))).toThrow('Leave out the @');
    expect(() => texts(Buffer.from('PK\x03\x04list.xlsx'))).toThrow('A list of images must be a text file');
  });
});

describe('paths in lists', () => {
  const expand = async (argument: string, stdin = stdinWith()): Promise<string[]> => {
    const options = { recursive: false, signal: new AbortController().signal };
    const inputs = await expandImages([argument], options, { stdin, stderr: new CollectedStream() });
    return inputs.map(({ name }) => name);
  };

  test('lose blanks and quotes around them, unless a file has exactly this name', async () => {
    const at = await temporaryFolder({ 'a.png': '', ' b.png ': '', 'b.png': '', '"c.png"': '' });
    await writeFile(
      at('l.txt'),
      '  a.png\t\r\n b.png \n"c.png"\n"d.png" \n https://example.org/e.png \nmissing.png \n',
    );
    expect(await expand(`@${at('l.txt')}`)).toEqual([
      at('a.png'),
      at(' b.png '),
      at('"c.png"'),
      at('d.png'),
      'https://example.org/e.png',
      at('missing.png'),
    ]);
  });

  test.skipIf(process.platform === 'win32')('may have backslashes or begin with ~, if such a file exists', async () => {
    const at = await temporaryFolder({ 'sub/a.png': '', 'b\\c.png': '', 'home/d.png': '' });
    vi.stubEnv('HOME', at('home'));
    await writeFile(at('l.txt'), 'sub\\a.png\nb\\c.png\n~/d.png\nsub\\gone.png\nC:\\photos\\e.png\n~/gone.png');
    const names = await expand(`@${at('l.txt')}`);
    vi.unstubAllEnvs();
    expect(names).toEqual([
      at('sub/a.png'),
      at('b\\c.png'),
      at('home/d.png'),
      at('sub\\gone.png'),
      'C:\\photos\\e.png',
      at('~/gone.png'),
    ]);
  });

  test('a list that Windows PowerShell wrote', async () => {
    const at = await temporaryFolder();
    const bytes = Buffer.from('\uFEFFa.png\r\nb.png\r\n', 'utf16le');
    await writeFile(at('list.txt'), bytes);
    expect(await expand(`@${at('list.txt')}`)).toEqual([at('a.png'), at('b.png')]);
    expect(await expand('@-', stdinWith(bytes))).toEqual(['a.png', 'b.png']);
    expect(await readFile(at('list.txt'))).toEqual(bytes);
  });

  test('have a maximum length, but not lines of JSON and data: URLs', async () => {
    const long = 'x'.repeat(40_000);
    const at = await temporaryFolder({
      'l.txt': `a.png\n${long}\n`,
      'l.jsonl': `{"image":"a.png","text":"${long}"}\n`,
    });
    await expect(expand(`@${at('l.txt')}`)).rejects.toThrow(
      `A line of the list must be at most 32768 characters, got 40000 (${at('l.txt')}:2)`,
    );
    expect(await expand(`@${at('l.jsonl')}`)).toEqual([at('a.png')]);
    await writeFile(at('l.txt'), `data:image/png;base64,${long}`);
    expect(await expand(`@${at('l.txt')}`)).toHaveLength(1);
  });

  test.runIf(process.platform === 'linux')('a device that never ends is refused', async () => {
    const at = await temporaryFolder();
    await symlink('/dev/zero', at('list.txt'));
    await expect(expand(`@${at('list.txt')}`)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('A list of images must be at most 268435456 bytes'),
    });
  });
});
