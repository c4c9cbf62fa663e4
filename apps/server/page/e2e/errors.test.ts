import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';

import {
  chat,
  type DemoServer,
  LEFT_OF_CAPTION,
  leftOf,
  MATCH_MODEL,
  startDemoServer,
  TEXT_MODEL,
} from '../../src/fixtures/demo-server.ts';
import { describePage } from './fixtures/chromium.ts';
import { startGateProxy } from './fixtures/gate-proxy.ts';
import { addImages, expectText, press } from './fixtures/page-actions.ts';

const start = async (options: Parameters<typeof startDemoServer>[0] = {}): Promise<DemoServer> => {
  const server = await startDemoServer({ models: [TEXT_MODEL], ...options });
  onTestFinished(() => server.close());
  return server;
};

async function expectError(page: Page, title: string, code: string): Promise<void> {
  const alert = page.locator('[role="alert"]:visible');
  await expectText(alert.locator('.notice-title'), title);
  await expectText(alert.locator('.notice-detail'), new RegExp(`^${code} .{5,}`));
}

/** More than any queue of these tests takes. */
const MANY_REQUESTS = 80;
/** The requests whose image was read, in the metrics: their next step is one of the model. */
const READ_IMAGES = /^blip2:mm_cache_queries_total\S* (\d+)$/m;

async function readImages(url: string): Promise<number> {
  return Number(READ_IMAGES.exec(await (await fetch(`${url}/metrics`)).text())?.[1] ?? 0);
}

/** The processes of models that a server has started. */
function workersOf(server: number): number[] {
  return execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(server)], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('worker'))
    .map((line) => Number.parseInt(line, 10));
}

const describeImage = (page: Page): Promise<void> => press(page, 'Describe the image', 'mouse');
const expectCaption = (page: Page): Promise<void> => expectText(page.locator('.answer-text'), LEFT_OF_CAPTION);

describePage('errors on the page', (browser) => {
  test('a damaged image, and one of too many pixels', async () => {
    const server = await start({ limits: { maxPixels: 10_000 } });
    const page = await browser.open(server.url, { expectedStatus: [400, 413] });
    await page
      .locator('.pick-files')
      .setInputFiles({ name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('not an image') });
    await page.getByText('This browser cannot show the image').waitFor();
    await describeImage(page);
    await expectError(page, 'This image cannot be read', 'INVALID_IMAGE');
    await addImages(page, 'left-of.png');
    await describeImage(page);
    await expectError(page, 'This image has too many pixels', 'IMAGE_TOO_LARGE');
    // Each image has its own error; a file that the server accepts has none.
    await page.getByRole('option', { name: 'broken.png' }).click();
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  });

  test('a request that is too large', async () => {
    const server = await start({ limits: { maxBodyBytes: 10_000 } });
    const page = await browser.open(server.url, { expectedStatus: [413] });
    await addImages(page, 'left-of.png');
    await describeImage(page);
    await expectError(page, 'This image is too large', 'BODY_TOO_LARGE');
  });

  test('a key that is missing, wrong and right', async () => {
    const server = await start({ apiKey: 'secret', models: [TEXT_MODEL, MATCH_MODEL] });
    const page = await browser.open(server.url, { expectedStatus: [401] });
    await expectError(page, 'This server needs a key', 'UNAUTHORIZED');
    await expectText(page.locator('.status'), 'No access');
    await press(page, 'Open settings', 'mouse');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('API key').fill('wrong');
    await dialog.getByRole('button', { name: 'Connect' }).click();
    await expectText(dialog.locator('.notice-detail'), /^UNAUTHORIZED/);
    await dialog.getByLabel('API key').fill('secret');
    await page.keyboard.press('Enter');
    await expectText(page.locator('.status'), 'opt, itm');
    await page.keyboard.press('Escape');
    await addImages(page, 'left-of.png');
    await describeImage(page);
    await expectCaption(page);
    // The tab keeps the key; the browser does not.
    await page.reload();
    await expectText(page.locator('.status'), 'opt, itm');
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('secret');
  });

  test('a busy server, and trying again', async () => {
    const server = await start({ limits: { maxWaiting: 1 }, load: { isolate: 'process' } });
    const page = await browser.open(server.url, { expectedStatus: [429] });
    await addImages(page, 'left-of.png');
    // The model stands still, and more requests than it takes are sent.
    const workers = workersOf(process.pid);
    for (const worker of workers) process.kill(worker, 'SIGSTOP');
    const statuses: number[] = [];
    const others = Array.from({ length: MANY_REQUESTS }, async () => {
      statuses.push((await server.post('/v1/chat/completions', chat(leftOf))).status);
    });
    await expect.poll(() => statuses).toContain(429);
    await describeImage(page);
    await expectError(page, 'The server is busy', 'QUEUE_FULL');
    for (const worker of workers) process.kill(worker, 'SIGCONT');
    await Promise.all(others);
    await press(page, 'Try again', 'keyboard');
    await expectCaption(page);
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  test('a server that shuts down', async () => {
    const server = await start();
    const page = await browser.open(server.url, { expectedStatus: [503] });
    await addImages(page, 'left-of.png');
    await page.route('**/v1/chat/completions', (route) =>
      route.fulfill({
        status: 503,
        json: { error: { message: 'The server is shutting down', code: 'SHUTTING_DOWN' } },
      }),
    );
    await describeImage(page);
    await expectError(page, 'The server is shutting down', 'SHUTTING_DOWN');
  });

  test('a network that is gone, before and during an answer, and comes back', async () => {
    const server = await start();
    const proxy = await startGateProxy(server.url);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const page = await browser.open(proxy.url, { isOffline: true });
    await addImages(page, 'left-of.png');
    proxy.shut();
    await describeImage(page);
    await expectText(page.locator('.answer-text'), /^a/);
    proxy.unplug(true);
    await expectError(page, 'The server cannot be reached', 'NETWORK');
    await expectText(page.locator('.status'), 'Not connected');
    await expectText(page.locator('.answer-foot'), /^Stopped/);
    await press(page, 'Try again', 'mouse');
    await expectError(page, 'The server cannot be reached', 'NETWORK');
    proxy.unplug(false);
    proxy.open();
    await press(page, 'Try again', 'mouse');
    await expectCaption(page);
    await expectText(page.locator('.status'), 'opt');
  });

  test('an answer that is not from the server', async () => {
    const server = await start();
    const page = await browser.open(server.url, { expectedStatus: [502] });
    await addImages(page, 'left-of.png');
    await page.route('**/v1/chat/completions', (route) => route.fulfill({ status: 502, body: '<h1>Bad gateway</h1>' }));
    await describeImage(page);
    await expectError(page, 'The request failed', 'HTTP_502');
  });

  test('blip2 serve whose model process is killed, and is back for the next request', async () => {
    const program = fileURLToPath(new URL('../../../cli/bin/blip2.js', import.meta.url));
    const server = spawn(process.execPath, [program, 'serve', '--port', '0', '--quiet'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    onTestFinished(async () => {
      const ended = once(server, 'exit');
      server.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
    });
    const [line] = (await once(server.stdout.setEncoding('utf8'), 'data')) as [string];
    const [url = ''] = /http:\S+/.exec(line) ?? [];
    const page = await browser.open(url, { expectedStatus: [503] });
    await addImages(page, 'left-of.png');
    const pid = server.pid ?? 0;
    // A model that is killed before the request has reached it is started again without an error.
    do {
      const [workers, before] = [workersOf(pid), await readImages(url)];
      expect(workers.length).toBeGreaterThan(0);
      for (const worker of workers) process.kill(worker, 'SIGSTOP');
      await describeImage(page);
      await expect.poll(() => readImages(url)).toBeGreaterThan(before);
      for (const worker of workers) process.kill(worker, 'SIGKILL');
      await page.getByRole('button', { name: 'Describe the image' }).waitFor();
    } while ((await page.getByRole('alert').count()) === 0);
    await expectError(page, 'The model has stopped', 'WORKER_FAILED');
    await press(page, 'Try again', 'mouse');
    await expectCaption(page);
  });
});
