import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import {
  type DemoServer,
  leftOf,
  MATCH_MODEL,
  oneStar,
  startDemoServer,
  TEXT_MODEL,
} from '../../src/fixtures/demo-server.ts';
import { describePage } from './fixtures/chromium.ts';
import { addImages, example, expectText, fillIn, type Means, openTask, press, tabTo } from './fixtures/page-actions.ts';

/** Many different small images: the demo takes milliseconds for each. */
const MANY = 200;

async function imageFolder(count: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-page-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const small = await readFile(example('small-one.png'));
  for (let index = 0; index < count; index++)
    await writeFile(join(folder, `${String(index).padStart(3, '0')}.png`), small);
  return folder;
}

/** Dispatches an event with files, as dropping and pasting do. */
async function transfer(
  page: Page,
  type: 'drop' | 'paste',
  files: Readonly<Record<string, Uint8Array>>,
): Promise<void> {
  const contents = Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]);
  await page.evaluate(
    ([kind, all]) => {
      const data = new DataTransfer();
      for (const [name = '', base64 = ''] of all) {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        data.items.add(new File([bytes], name, { type: name.endsWith('.png') ? 'image/png' : 'text/plain' }));
      }
      const options = { bubbles: true, cancelable: true };
      if (kind === 'paste') document.dispatchEvent(new ClipboardEvent('paste', { ...options, clipboardData: data }));
      else {
        document.dispatchEvent(new DragEvent('dragenter', { ...options, dataTransfer: data }));
        document.dispatchEvent(new DragEvent('drop', { ...options, dataTransfer: data }));
      }
    },
    [type, contents] as const,
  );
}

describePage('images on the page', (browser) => {
  let server: DemoServer;
  beforeAll(async () => {
    server = await startDemoServer({ models: [TEXT_MODEL, MATCH_MODEL] });
  });
  afterAll(() => server.close());

  describe.each<[Means]>([['mouse'], ['keyboard']])('by %s', (means) => {
    test('images are picked, selected and removed', async () => {
      const page = await browser.open(server.url);
      const choosing = page.waitForEvent('filechooser');
      await press(page, 'Choose images', means);
      await (await choosing).setFiles([example('left-of.png'), example('one-large-star.png')]);
      const options = page.getByRole('option');
      await expect.poll(() => options.count()).toBe(2);
      const selected = page.locator('[role="option"][aria-selected="true"]');
      expect(await selected.getAttribute('aria-label')).toBe('left-of.png');
      if (means === 'mouse') await options.nth(1).click();
      else {
        await tabTo(page, page.getByRole('listbox'));
        await page.keyboard.press('End');
      }
      await expect.poll(() => selected.getAttribute('aria-label')).toBe('one-large-star.png');
      if (means === 'mouse') await press(page, 'Remove one-large-star.png', means);
      else await page.keyboard.press('Delete');
      await expect.poll(() => options.count()).toBe(1);
      await expectText(page.getByRole('status'), 'one-large-star.png removed.');
      await press(page, 'Remove left-of.png', means);
      await page.getByText('Drop images here').waitFor();
      expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe('Choose images');
    });

    test('the example is described', async () => {
      const page = await browser.open(server.url);
      await press(page, 'Try an example', means);
      await page.getByRole('img', { name: 'example.webp', exact: true }).waitFor();
      await press(page, 'Describe the image', means);
      await expectText(page.locator('.answer-text'), /^a blue triangle/);
    });

    test('a text finds images, which are selected from the results', async () => {
      const page = await browser.open(server.url);
      await addImages(page, 'left-of.png', 'one-large-star.png', 'red-circle-above-blue-square.png');
      await openTask(page, 'Search', means);
      await fillIn(page, 'Search for', 'a large yellow star', means);
      await press(page, 'Search', means);
      const hits = page.getByRole('list', { name: 'Images, best match first' }).getByRole('button');
      await expectText(hits.first(), /^one-large-star\.png 0\.\d{3}$/);
      expect(await hits.count()).toBe(3);
      if (means === 'mouse') await hits.first().click();
      else {
        await tabTo(page, hits.first());
        await page.keyboard.press('Enter');
      }
      await page.getByRole('img', { name: 'one-large-star.png', exact: true }).waitFor();
      expect(await hits.first().getAttribute('aria-current')).toBe('true');
    });
  });

  test('images are dropped and pasted; other files are skipped', async () => {
    const page = await browser.open(server.url);
    await page.getByText('Drop images here').waitFor();
    await transfer(page, 'drop', { 'left.png': leftOf, 'notes.txt': oneStar });
    await expectText(page.getByRole('status'), '1 image added. 1 file skipped: not an image.');
    await transfer(page, 'paste', { 'star.png': oneStar });
    await page.getByRole('img', { name: 'star.png', exact: true }).waitFor();
    expect(await page.getByRole('option').count()).toBe(2);
    await transfer(page, 'paste', {});
    expect(await page.getByRole('option').count()).toBe(2);
    expect(await page.locator('.drop-overlay').count()).toBe(0);
  });

  test(`a folder of ${MANY} images is searched; a damaged one is named, and nothing is sent twice`, async () => {
    const folder = await imageFolder(MANY);
    await writeFile(join(folder, '150.png'), 'not an image');
    await writeFile(join(folder, '007.png'), oneStar);
    await writeFile(join(folder, 'notes.txt'), 'x');
    const page = await browser.open(server.url, { expectedStatus: [400] });
    await page.locator('.pick-folder').first().setInputFiles(folder);
    await expectText(page.locator('.tray-title'), `${MANY} images`);
    await openTask(page, 'Search');
    const before = server.entries.length;
    await fillIn(page, 'Search for', 'a large yellow star', 'mouse');
    await press(page, 'Search', 'mouse');
    const hits = page.getByRole('list', { name: 'Images, best match first' }).getByRole('button');
    await expectText(hits.first(), /^007\.png/);
    expect(await hits.count()).toBe(24);
    await expectText(page.locator('#panel-search .notice'), '1 image could not be read 150.png: INVALID_IMAGE');
    await expectText(page.locator('#panel-search .result'), /The best 24 of 199 images/);
    const sent = server.entries.slice(before).filter(({ status }) => status === 200);
    expect(sent.reduce((sum, { images = 0 }) => sum + images, 0)).toBe(MANY - 1);
    await fillIn(page, 'Search for', 'a green square', 'mouse');
    await page.keyboard.press('Enter');
    await expectText(page.locator('#panel-search .result h3'), 'a green square');
    expect(server.entries.slice(before).filter(({ images = 0 }) => images > 0)).toHaveLength(
      server.entries.slice(before, -1).filter(({ images = 0 }) => images > 0).length,
    );
    await press(page, 'Remove all', 'mouse');
    await page.getByText('Drop images here').waitFor();
  });

  test('a search of a busy server goes on, and is stopped', async () => {
    const page = await browser.open(server.url, { expectedStatus: [429] });
    await addImages(page, 'left-of.png', 'one-large-star.png');
    await openTask(page, 'Search');
    let refusals = 0;
    const refused = { error: { message: 'Too many requests are waiting', code: 'QUEUE_FULL' } };
    await page.route('**/v1/embeddings', async (route) => {
      const isImage = /"image"/.test(route.request().postData() ?? '');
      if (!isImage || refusals === 2) return route.continue();
      refusals++;
      return route.fulfill({ status: 429, headers: { 'retry-after': '0.01' }, json: refused });
    });
    await fillIn(page, 'Search for', 'a large yellow star', 'mouse');
    await press(page, 'Search', 'mouse');
    await page.getByRole('list', { name: 'Images, best match first' }).waitFor();
    expect(refusals).toBe(2);

    await addImages(page, 'three-objects.png');
    await page.route('**/v1/embeddings', (route) =>
      route.fulfill({ status: 429, headers: { 'retry-after': '3600' }, json: refused }),
    );
    await page.unroute('**/v1/embeddings');
    await page.route('**/v1/embeddings', (route) =>
      /"image"/.test(route.request().postData() ?? '')
        ? route.fulfill({ status: 429, headers: { 'retry-after': '3600' }, json: refused })
        : route.continue(),
    );
    await press(page, 'Search', 'mouse');
    await expectText(page.locator('#panel-search .progress'), /2 of 3/);
    await press(page, 'Stop', 'mouse');
    await expect.poll(() => page.locator('#panel-search .progress').count()).toBe(0);
    expect(await page.getByRole('alert').count()).toBe(0);
  });
});
