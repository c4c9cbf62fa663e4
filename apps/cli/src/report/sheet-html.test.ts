import { readdir, readFile } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';

import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { contactSheet } from './contact-sheet.ts';
import { sheetCard, sheetFoot, sheetHead } from './sheet-html.ts';

const thumbnail = { jpeg: Uint8Array.of(0xff, 0xd8, 0xff), width: 4, height: 3 };
const HOSTILE = `<script>alert(1)</script>"' onerror='x' & \u202egnp.exe\u0000\n`;

describe('hostile names, texts and errors', () => {
  const card = sheetCard({ name: HOSTILE, texts: [{ label: HOSTILE, text: HOSTILE }], thumbnail });
  const failed = sheetCard({ name: HOSTILE, texts: [], failure: { code: 'INVALID_IMAGE', message: HOSTILE } });
  const head = sheetHead({ command: 'caption', model: HOSTILE, dtype: HOSTILE });

  test('remain text', () => {
    for (const html of [card, failed, head]) {
      expect(html).not.toMatch(/<script|onerror='|'x'/);
      expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onerror=&#39;x&#39; &amp;');
      expect(html).not.toContain('\u0000');
      expect(html).toContain('\\x00\\n');
    }
    // The attribute ends at the intended quote.
    expect(/ alt="([^"]*)" loading="lazy" decoding="async">/.exec(card)?.[1]).toContain('&quot;');
  });

  test('cannot reverse the text around them', () => {
    expect(card.match(/<bdi>[^<]*\u202e[^<]*<\/bdi>/g)).toHaveLength(3);
  });

  test('could not run anything if they were not escaped', () => {
    expect(head).toContain('http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; img-src data:;');
  });
});

describe('a sheet', () => {
  test('loads no other resources and follows the colour scheme of the reader', () => {
    const page =
      sheetHead({ command: 'ask', model: 'm', dtype: undefined }) +
      sheetCard({ name: 'a.png', texts: [{ label: 'what?', text: 'a cat' }], thumbnail }) +
      sheetFoot({ shown: 1, failed: 0, whole: true });
    expect(page).not.toMatch(/(src|href)="(?!data:)/);
    expect(page).toContain('<img src="data:image/jpeg;base64,/9j/" width="4" height="3" alt="a cat"');
    expect(page).toContain('prefers-color-scheme: dark');
    expect(page.indexOf('what?')).toBeLessThan(page.indexOf('<p><bdi>a cat'));
    expect(page).toMatch(/<footer><p>1 image<\/p><\/footer>\n<\/body>\n<\/html>\n$/);
  });

  test('is written when it is closed, finished or interrupted; not after a failure, not without images', async () => {
    const at = await temporaryFolder();
    const title = { command: 'caption', model: 'm', dtype: undefined };
    for (const [outcome, ending] of [
      ['finished', '2 images, <span class="bad">1 failed</span></p>'],
      ['interrupted', 'interrupted: not all images'],
    ] as const) {
      const sheet = contactSheet(at('out.html'), title);
      await sheet.add({ name: 'a.png', texts: [{ text: 'a cat' }], thumbnail });
      await sheet.add({ name: 'b.png', texts: [], failure: { code: 'INVALID_IMAGE', message: 'no image' } });
      if (outcome === 'finished') expect((await readdir(at())).filter((name) => name.endsWith('.html'))).toEqual([]);
      await sheet.close(outcome);
      expect(await readFile(at('out.html'), 'utf8')).toContain(ending);
    }
    const failing = contactSheet(at('other.html'), title);
    await failing.add({ name: 'a.png', texts: [] });
    await failing.close('failed');
    await contactSheet(at('none.html'), title).close('finished');
    expect(await readdir(at())).toEqual(['out.html']);
  });
});
