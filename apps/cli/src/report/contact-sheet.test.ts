import { readFile, rm } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

/** Names, texts and errors on a sheet, in order. */
const cardsOf = (html: string): string[][] =>
  html
    .split('<figure')
    .slice(1)
    .map((card) =>
      [...card.matchAll(/<bdi>([^<]*)<\/bdi>/g)].map(([, text = '']) => text.replace(/ \(.*/, '').replace(/^.*\//, '')),
    );

describe('blip2 caption --report', () => {
  test('shows every image in order with its caption or error, for any name', async () => {
    const at = await temporaryFolder({ '1 <script>.png': 'a cat', '2.png': 'bad', '3.png': 'a dog' });
    const { exitCode, stdout } = await runFake(['caption', '--quiet', at(), '--report', at('out.html')]);
    expect(exitCode).toBe(3);
    expect(stdout.split('\n')).toHaveLength(3);
    const html = await readFile(at('out.html'), 'utf8');
    expect(cardsOf(html)).toEqual([
      ['a cat', '1 &lt;script&gt;.png'],
      ['INVALID_IMAGE: This is not an image', '2.png'],
      ['a dog', '3.png'],
    ]);
    expect(html.match(/<script/g)).toBeNull();
    expect(html.match(/<img src="data:image\/jpeg/g)).toHaveLength(2);
    expect(html).toContain('3 images, <span class="bad">1 failed</span>');
  });

  test('includes the images of an earlier run without running the model again', async () => {
    const at = await temporaryFolder({ '1.png': 'a cat', '2.png': 'a dog', '3.png': 'a fish' });
    await runFake(['caption', '--quiet', at('1.png'), at('2.png'), '-o', at('out.jsonl')]);
    const { calls } = await runFake(['caption', '--quiet', at(), '-o', at('out.jsonl'), '--report', at('out.html')]);
    expect(calls.filter(({ name }) => name === 'caption').map(({ images }) => images)).toEqual([['a fish']]);
    const all = [
      ['a cat', '1.png'],
      ['a dog', '2.png'],
      ['a fish', '3.png'],
    ];
    expect(cardsOf(await readFile(at('out.html'), 'utf8'))).toEqual(all);
    expect((await readFile(at('out.jsonl'), 'utf8')).trimEnd().split('\n')).toHaveLength(3);
    // All are done and one was deleted: no model, and the same sheet without its thumbnail.
    await rm(at('2.png'));
    const again = await runFake([
      'caption',
      '--quiet',
      ...['1.png', '2.png', '3.png'].map(at),
      '-o',
      at('out.jsonl'),
      '--report',
      at('out.html'),
    ]);
    expect(again).toMatchObject({ exitCode: 0, stderr: '', calls: [] });
    expect(cardsOf(await readFile(at('out.html'), 'utf8'))).toEqual(all);
  });

  test('is rejected if it would overwrite a file, or is not a page', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat', 'x.html': 'a cat' });
    for (const argv of [
      [at('a.png'), '--report', at('out.png')],
      [at('x.html'), '--report', at('x.html')],
      [at('a.png'), '--report', at('none/out.html')],
      [at('a.png'), '-o', at('new.html'), '--report', at('new.html')],
    ]) {
      const { exitCode, calls, stderr } = await runFake(['caption', '--quiet', ...argv]);
      expect({ ended: exitCode === 1 || exitCode === 2, calls }, stderr).toEqual({ ended: true, calls: [] });
    }
    expect(await readFile(at('x.html'), 'utf8')).toBe('a cat');
  });

  test('keeps the finished images after an interrupt', async () => {
    const at = await temporaryFolder({ '1.png': 'a cat', '2.png': 'a dog' });
    let asked = 0;
    const { exitCode } = await runFake(['caption', '--quiet', at(), '--batch-size', '1', '--report', at('out.html')], {
      onCall: ({ name }, signals) => void (name === 'caption' && ++asked === 2 && signals.emit('SIGINT')),
    });
    expect(exitCode).toBe(130);
    const html = await readFile(at('out.html'), 'utf8');
    expect(cardsOf(html)).toEqual([['a cat', '1.png']]);
    expect(html).toContain('interrupted');
  });
});

describe('blip2 ask --report', () => {
  test('shows all questions of an image in order, including those answered earlier', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat' });
    await runFake(['ask', '--quiet', at('a.png'), '-q', 'second?', '-o', at('out.jsonl')]);
    await runFake([
      'ask',
      '--quiet',
      at('a.png'),
      '-q',
      'first?',
      '-q',
      'second?',
      '-o',
      at('out.jsonl'),
      '--report',
      at('out.html'),
    ]);
    expect(cardsOf(await readFile(at('out.html'), 'utf8'))).toEqual([
      ['first?', 'a cat, first?', 'second?', 'a cat, second?', 'a.png'],
    ]);
  });
});
