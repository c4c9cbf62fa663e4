import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import {
  type DemoServer,
  LEFT_OF_CAPTION,
  MATCH_MODEL,
  SEQ2SEQ_MODEL,
  startDemoServer,
  TEXT_MODEL,
} from '../../src/fixtures/demo-server.ts';
import { describePage } from './fixtures/chromium.ts';
import { startGateProxy } from './fixtures/gate-proxy.ts';
import { addImages, expectText, fillIn, type Means, openTask, press, tabTo } from './fixtures/page-actions.ts';

describePage('the tasks of the page', (browser) => {
  let server: DemoServer;
  beforeAll(async () => {
    server = await startDemoServer({ models: [TEXT_MODEL, MATCH_MODEL] });
  });
  afterAll(() => server.close());

  describe.each<[Means]>([['mouse'], ['keyboard']])('by %s', (means) => {
    test('an image is described, and its caption is copied', async () => {
      const page = await browser.open(server.url);
      await addImages(page, 'left-of.png');
      await press(page, 'Describe the image', means);
      await expectText(page.locator('.answer-text'), LEFT_OF_CAPTION);
      await expectText(page.locator('.answer-foot'), /^12 tokens/);
      await expectText(page.getByRole('status'), LEFT_OF_CAPTION);
      await press(page, 'Copy', means);
      await expectText(page.getByRole('status'), 'Copied.');
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(LEFT_OF_CAPTION);
    });

    test('questions are answered, the last one first', async () => {
      const page = await browser.open(server.url);
      await addImages(page, 'left-of.png');
      await openTask(page, 'Ask', means);
      await fillIn(page, 'Question', 'what shape is on the left?', means);
      await press(page, 'Ask', means);
      await expectText(page.locator('.answer-text'), 'triangle');
      await fillIn(page, 'Question', 'what color is the circle?', means);
      await page.keyboard.press('Enter');
      await expectText(page.locator('.answer').nth(1), /what shape is on the left\? triangle/);
      await expectText(page.locator('.answer').first(), /what color is the circle\? yellow/);
    });

    test('a conversation has its earlier turns, and is cleared', async () => {
      const page = await browser.open(server.url);
      await addImages(page, 'left-of.png');
      await openTask(page, 'Chat', means);
      await fillIn(page, 'Message', 'what shape is on the left?', means);
      await press(page, 'Send', means);
      await expectText(page.locator('.message').nth(1), 'Model: triangle');
      const sent = page.waitForRequest(/chat\/completions/);
      await fillIn(page, 'Message', 'what color is it?', means);
      await press(page, 'Send', means);
      const { messages } = (await sent).postDataJSON() as { messages: { role: string }[] };
      expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
      await expect.poll(() => page.locator('.message').count()).toBe(4);
      await press(page, 'Clear the conversation', means);
      await expect.poll(() => page.locator('.message').count()).toBe(0);
      expect(await page.evaluate(() => document.activeElement?.id)).toBe('chat-question');
    });

    test('candidate answers have probabilities, the best one first', async () => {
      const page = await browser.open(server.url);
      await addImages(page, 'left-of.png');
      await openTask(page, 'Choose', means);
      await fillIn(page, 'Question', 'what shape is on the left?', means);
      await fillIn(page, 'Candidate answers', 'circle', means);
      expect(await page.getByRole('button', { name: 'Compare the answers' }).isDisabled()).toBe(true);
      await fillIn(page, 'Candidate answers', 'circle\ntriangle\n circle ', means);
      await press(page, 'Compare the answers', means);
      const answers = page.getByRole('list', { name: 'Answers, most likely first' }).getByRole('listitem');
      await expectText(answers.first(), /^triangle (?:> )?[\d.]+%$/);
      expect(await answers.count()).toBe(2);
      const width = async (index: number): Promise<number> =>
        Number(await answers.nth(index).locator('.bar-fill').getAttribute('width'));
      expect(await width(0)).toBeGreaterThan(90);
      expect((await width(0)) + (await width(1))).toBeCloseTo(100, 3);
    });

    test('descriptions are matched by the retrieval model', async () => {
      const page = await browser.open(server.url);
      await addImages(page, 'left-of.png');
      await openTask(page, 'Match', means);
      await fillIn(page, 'Descriptions', `a large yellow star\n${LEFT_OF_CAPTION}`, means);
      await press(page, 'Score the descriptions', means);
      const matches = page.getByRole('list', { name: 'Descriptions, best match first' }).getByRole('listitem');
      await expectText(matches.first(), /^a blue triangle .* 9\d(?:\.\d)?%$/);
      await expectText(matches.nth(1), /^a large yellow star (?:< )?[0-4](?:\.\d)?%$/);
      expect(server.entries.at(-1)).toMatchObject({ path: '/v1/decisions', model: 'itm' });
    });

    test('a heat map is drawn over the image, with its legend, and hidden', async () => {
      const page = await browser.open(server.url);
      await addImages(page, 'left-of.png');
      await openTask(page, 'Heat map', means);
      await fillIn(page, 'Text', 'a blue triangle', means);
      await tabTo(page, page.getByLabel('Resolution'));
      await page.getByLabel('Resolution').selectOption('4');
      await page.getByLabel('Method').selectOption('keep');
      await press(page, 'Draw the heat map', means);
      const canvas = page.getByRole('img', { name: 'Heat map for: a blue triangle' });
      await canvas.waitFor();
      // The map covers the image exactly, and its left half is the brighter one: the triangle is there.
      const image = page.getByRole('img', { name: 'left-of.png', exact: true });
      expect(await canvas.boundingBox()).toEqual(await image.boundingBox());
      const [left = 0, right = 0] = await canvas.evaluate((element: HTMLCanvasElement) => {
        const { data, width, height } = element.getContext('2d')!.getImageData(0, 0, element.width, element.height);
        const sums = [0, 0];
        for (let at = 0; at < width * height; at++) sums[at % width < width / 2 ? 0 : 1]! += data[at * 4 + 1]!;
        return sums;
      });
      expect(left).toBeGreaterThan(right * 1.2);
      await expectText(
        page.locator('.legend'),
        /a blue triangle \+[\d.]+ \+[\d.]+ 0 What a region adds to the log-odds/,
      );
      await tabTo(page, page.getByLabel('Opacity of the map'), means === 'keyboard' ? 'Shift+Tab' : 'Tab');
      await page.keyboard.press('End');
      await expect.poll(() => canvas.evaluate((element) => element.style.opacity)).toBe('1');
      await press(page, 'Hide', means);
      await expect.poll(() => page.locator('.legend').count()).toBe(0);
    });
  });

  test('a heat map of how likely an answer is', async () => {
    const page = await browser.open(server.url);
    await addImages(page, 'left-of.png');
    await openTask(page, 'Heat map');
    await fillIn(page, 'Text', 'blue', 'mouse');
    await page.getByLabel('How likely the model writes the text').check();
    await fillIn(page, 'Question that the text answers (optional)', 'what color is the triangle?', 'mouse');
    await page.getByLabel('Resolution').selectOption('4');
    await press(page, 'Draw the heat map', 'mouse');
    await expectText(page.locator('.legend'), /log-probability of the text/);
    expect(server.entries.at(-1)).toMatchObject({ path: '/v1/heatmap', model: 'opt' });
  });

  test('words appear as they are generated, and Stop ends the request and keeps them', async () => {
    const proxy = await startGateProxy(server.url);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const page = await browser.open(proxy.url);
    await addImages(page, 'left-of.png');
    proxy.shut();
    await press(page, 'Describe the image', 'mouse');
    await expectText(page.locator('.answer-text'), /^a/);
    expect(await page.locator('.answer').getAttribute('aria-busy')).toBe('true');
    const first = ((await page.locator('.answer-text').textContent()) ?? '').trim();
    expect(first.length).toBeLessThan(LEFT_OF_CAPTION.length);
    await press(page, 'Stop', 'mouse');
    await expectText(page.locator('.answer-foot'), /^Stopped/);
    await expectText(page.locator('.answer-text'), first);
    await expect.poll(() => proxy.aborted).toBe(1);
    proxy.open();
    await press(page, 'Describe the image', 'mouse');
    await expectText(page.locator('.answer-text'), LEFT_OF_CAPTION);
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  test('every image has its own results', async () => {
    const page = await browser.open(server.url);
    await addImages(page, 'left-of.png', 'one-large-star.png');
    await press(page, 'Describe the image', 'mouse');
    await expectText(page.locator('.answer-text'), LEFT_OF_CAPTION);
    await page.getByRole('option', { name: 'one-large-star.png' }).click();
    await expect.poll(() => page.locator('.answer-text').count()).toBe(0);
    await press(page, 'Describe the image', 'mouse');
    await expectText(page.locator('.answer-text'), /star/);
    await page.getByRole('option', { name: 'left-of.png' }).click();
    await expectText(page.locator('.answer-text'), LEFT_OF_CAPTION);
  });

  test('settings apply to requests, are kept, and are reset', async () => {
    const several = await startDemoServer({ models: [TEXT_MODEL, SEQ2SEQ_MODEL, MATCH_MODEL] });
    onTestFinished(() => several.close());
    const page = await browser.open(several.url);
    await addImages(page, 'left-of.png');
    await press(page, 'Settings', 'keyboard');
    const dialog = page.getByRole('dialog', { name: 'Settings' });
    await dialog.getByLabel('For captions, questions and choices').selectOption('t5');
    expect(await dialog.getByRole('option', { name: /retrieval model: no texts/ }).getAttribute('disabled')).toBe('');
    await dialog.getByLabel('Temperature').fill('99');
    await expectText(page.locator('#settings-temperature-hint'), 'Temperature must be a number from 0 to 10');
    await dialog.getByLabel('Most new tokens').fill('3');
    await page.keyboard.press('Escape');
    await expect.poll(() => dialog.isVisible()).toBe(false);
    await press(page, 'Describe the image', 'mouse');
    await expectText(page.locator('.answer-foot'), /^3 tokens, ended at the limit/);
    expect(several.entries.at(-1)).toMatchObject({ model: 't5', newTokens: 3 });
    await page.reload();
    await press(page, 'Settings', 'mouse');
    expect(await dialog.getByLabel('Most new tokens').inputValue()).toBe('3');
    expect(await dialog.getByLabel('For captions, questions and choices').inputValue()).toBe('t5');
    await dialog.getByRole('button', { name: 'Reset' }).click();
    expect(await dialog.getByLabel('Most new tokens').inputValue()).toBe('');
    await dialog.getByRole('button', { name: 'Close' }).click();
    await expect.poll(() => dialog.isVisible()).toBe(false);
  });

  test('the theme follows the system until it is chosen, and is kept', async () => {
    const page = await browser.open(server.url, { theme: 'dark' });
    const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await press(page, 'Use the light theme', 'keyboard');
    await expect.poll(background).not.toBe(dark);
    await page.reload();
    await page.getByRole('button', { name: 'Use the dark theme' }).click();
    await expect.poll(background).toBe(dark);
    await press(page, 'Settings', 'mouse');
    await page.getByLabel('As the system').check();
    await page.emulateMedia({ colorScheme: 'light' });
    await expect.poll(background).not.toBe(dark);
  });

  test('the first Tab stop skips to the tasks', async () => {
    const page = await browser.open(server.url);
    await page.getByRole('tab', { name: 'Caption' }).waitFor();
    await page.keyboard.press('Tab');
    const link = page.getByRole('link', { name: 'Skip to the tasks' });
    expect((await link.boundingBox())?.y).toBeGreaterThanOrEqual(0);
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('tasks');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('tab-caption');
  });

  test.each([
    ['generation', TEXT_MODEL, ['Match', 'Search'], ['Caption', 'Ask', 'Chat', 'Choose', 'Heat map']],
    ['retrieval', MATCH_MODEL, ['Caption', 'Ask', 'Chat', 'Choose'], ['Match', 'Heat map', 'Search']],
  ])('tasks that a %s model does not support are disabled, with the reason', async (_, model, missing, supported) => {
    const single = await startDemoServer({ models: [model] });
    onTestFinished(() => single.close());
    const page = await browser.open(single.url);
    await addImages(page, 'left-of.png');
    for (const name of missing) {
      await openTask(page, name);
      const panel = page.locator('[role="tabpanel"]:visible');
      await expectText(panel.locator('.notice'), /^Not available with this server .+ Start the server with a/);
      for (const control of await panel.locator('input, textarea, button[type="submit"]').all())
        expect(await control.isDisabled()).toBe(true);
      expect(await page.getByRole('tab', { name }).textContent()).toContain('(not available)');
    }
    for (const name of supported) {
      await openTask(page, name);
      expect(await page.locator('[role="tabpanel"]:visible .notice').count()).toBe(0);
    }
  });
});
