import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import type { AxeResults, RunOptions } from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

import { type DemoServer, MATCH_MODEL, startDemoServer, TEXT_MODEL } from '../../src/fixtures/demo-server.ts';
import { describePage } from './fixtures/chromium.ts';
import { startGateProxy } from './fixtures/gate-proxy.ts';
import { addImages, expectText, fillIn, openTask, press } from './fixtures/page-actions.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const WIDTHS = [1600, 400];

/**
 * Fails for violations of axe-core's rules, and for content that is wider than the page, in both themes and widths. The
 * theme changes colors only.
 */
async function expectAccessible(page: Page, state: string): Promise<void> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe);
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await violations(page, {}), `${state}, ${width} pixels, light`).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    const colors = { runOnly: ['color-contrast'] };
    expect(await violations(page, colors), `${state}, ${width} pixels, dark`).toEqual([]);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow, `${state}: pixels beyond a width of ${width}`).toBeLessThanOrEqual(0);
  }
}

async function violations(page: Page, options: RunOptions): Promise<string[]> {
  const found = await page.evaluate(async (given) => {
    const { run } = (window as unknown as { axe: { run(options: RunOptions): Promise<AxeResults> } }).axe;
    return (await run(given)).violations;
  }, options);
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

describePage('accessibility of the page', (browser) => {
  let server: DemoServer;
  beforeAll(async () => {
    server = await startDemoServer({ models: [TEXT_MODEL, MATCH_MODEL] });
  });
  afterAll(() => server.close());

  test('no state violates a rule of axe-core', async () => {
    const proxy = await startGateProxy(server.url);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const page = await browser.open(proxy.url, { expectedStatus: [400] });
    await page.locator('.status-good').waitFor();
    await expectAccessible(page, 'empty');
    await addImages(page, 'left-of.png', 'one-large-star.png', 'wide.png', 'tall.jpg');

    proxy.shut();
    await press(page, 'Describe the image', 'mouse');
    await expectText(page.locator('.answer-text'), /^a/);
    await expectAccessible(page, 'caption, while it is written');
    proxy.open();
    await page.getByRole('button', { name: 'Copy' }).waitFor();
    await expectAccessible(page, 'caption');

    await openTask(page, 'Ask');
    await fillIn(page, 'Question', 'what shape is on the left?', 'mouse');
    await page.keyboard.press('Enter');
    await expectText(page.locator('#panel-ask .answer-text'), 'triangle');
    await expectAccessible(page, 'ask');

    await openTask(page, 'Chat');
    await fillIn(page, 'Message', 'what shape is on the left?', 'mouse');
    await page.keyboard.press('Enter');
    await expectText(page.locator('.message').nth(1), 'Model: triangle');
    await expectAccessible(page, 'chat');

    await openTask(page, 'Choose');
    await fillIn(page, 'Question', 'what shape is on the left?', 'mouse');
    await fillIn(page, 'Candidate answers', 'circle\ntriangle', 'mouse');
    await press(page, 'Compare the answers', 'mouse');
    await page.locator('#panel-choose .scores').waitFor();
    await expectAccessible(page, 'choose');

    await openTask(page, 'Match');
    await fillIn(page, 'Descriptions', 'a circle\na star', 'mouse');
    await press(page, 'Score the descriptions', 'mouse');
    await page.locator('#panel-match .scores').waitFor();
    await expectAccessible(page, 'match');

    await openTask(page, 'Search');
    await fillIn(page, 'Search for', 'a star', 'mouse');
    await press(page, 'Search', 'mouse');
    await page.locator('.hits').waitFor();
    await expectAccessible(page, 'search');

    await openTask(page, 'Heat map');
    await fillIn(page, 'Text', 'a triangle', 'mouse');
    await page.getByLabel('Resolution').selectOption('4');
    await press(page, 'Draw the heat map', 'mouse');
    await page.locator('.legend').waitFor();
    await expectAccessible(page, 'heat map');

    await press(page, 'Settings', 'mouse');
    await page.getByLabel('Temperature').fill('99');
    await expectText(page.locator('#settings-temperature-hint'), /must be/);
    await expectAccessible(page, 'settings');
    await page.keyboard.press('Escape');

    await page
      .locator('.pick-files')
      .setInputFiles({ name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('not an image') });
    await openTask(page, 'Caption');
    await press(page, 'Describe the image', 'mouse');
    await page.getByRole('alert').waitFor();
    await expectAccessible(page, 'error');
  });

  test('no violation without access, and where no model supports a task', async () => {
    const locked = await startDemoServer({ models: [MATCH_MODEL], apiKey: 'secret' });
    onTestFinished(() => locked.close());
    const page = await browser.open(locked.url, { expectedStatus: [401] });
    await page.getByRole('alert').first().waitFor();
    await expectAccessible(page, 'no access');
    await press(page, 'Settings', 'mouse');
    await page.getByLabel('API key').fill('secret');
    await page.keyboard.press('Enter');
    await expectText(page.locator('.status'), 'itm');
    await page.keyboard.press('Escape');
    await page.getByText('Not available with this server').first().waitFor();
    await expectAccessible(page, 'not available');
  });
});
