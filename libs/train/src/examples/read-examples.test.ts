import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { expect, test } from 'vitest';

import { temporaryFolder } from '../run/fixtures/shape-pairs.ts';
import { readExamples } from './read-examples.ts';

const examples = resolve(import.meta.dirname, '../../../../examples');

test('a webdataset archive has an example per sample, whose image is read when it is needed', async () => {
  await using found = await readExamples(join(examples, 'shapes.tar'));
  expect(found.problems).toEqual([]);
  expect(found.examples[0]).toMatchObject({
    text: 'two orange stars, a black circle and a yellow star',
    where: 'shapes.tar, four-objects',
  });
  const bytes = await found.examples[0]?.image.read();
  expect(Buffer.from(bytes ?? []).toString('latin1', 1, 4)).toBe('PNG');
});

test('a folder has an example per image with a text of the same name, in subfolders too', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'more'));
  for (const name of ['b.png', 'more/a.PNG', 'c.jpg', 'd.webp'])
    await copyFile(join(examples, 'left-of.png'), join(folder, name));
  await writeFile(join(folder, 'b.txt'), 'a star\n');
  await writeFile(join(folder, 'more/a.txt'), 'two stars');
  await writeFile(join(folder, 'd.txt'), ' \n');
  await writeFile(join(folder, 'notes.md'), 'not an image');
  await using found = await readExamples(folder);
  expect(found.examples.map(({ text, where }) => [where, text])).toEqual([
    ['b.png', 'a star'],
    ['more/a.PNG', 'two stars'],
  ]);
  expect(found.problems).toEqual([
    { where: 'c.jpg', fault: 'empty caption', got: 'no c.txt' },
    { where: 'd.webp', fault: 'empty caption', got: ' \n' },
  ]);
});

test('JSON lines have paths relative to their file, captions, and questions with answers', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'images'));
  await copyFile(join(examples, 'left-of.png'), join(folder, 'images/a.png'));
  const lines = [
    { image: 'images/a.png', caption: ' a star ', id: 7 },
    { image: './images/a.png', question: 'what? ', answer: 'a star' },
    { image: 'images/b.png', caption: 'a star' },
    { image: 'images/a.png' },
    { image: 3, caption: 'a star' },
    ['images/a.png', 'a star'],
  ];
  await writeFile(join(folder, 'p.jsonl'), lines.map((line) => JSON.stringify(line)).join('\r\n'));
  await using found = await readExamples(join(folder, 'p.jsonl'));
  expect(found.examples.map(({ text, question }) => [text, question])).toEqual([
    ['a star', undefined],
    ['a star', 'what?'],
  ]);
  expect(found.problems.map(({ where, fault }) => [where, fault])).toEqual([
    ['p.jsonl, line 3', 'missing image'],
    ['p.jsonl, line 4', 'broken line'],
    ['p.jsonl, line 5', 'broken line'],
    ['p.jsonl, line 6', 'broken line'],
  ]);
});

test('a source that does not exist is refused', async () => {
  for (const name of ['absent.jsonl', 'absent.tar'])
    await expect(readExamples(join(examples, name))).rejects.toMatchObject({ code: 'MISSING_FILE' });
});
