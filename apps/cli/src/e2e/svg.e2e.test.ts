import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const star = join(repository, 'examples/one-large-star.png');
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"><rect width="9" height="9"/></svg>';
const DOCTYPE = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">';
/** SVG files that pass a search for the brands of AVIF, and two that do not. */
const DISGUISED: Readonly<Record<string, string>> = {
  '1.avif': `<!--ftypavif-->${SVG}`,
  '2.avif': `<!--ftypmif1    avif    -->${SVG}`,
  '3.avif': `<!--ftypavis-->${SVG}`,
  '4.avif': `<?m ftypavif?>${SVG}`,
  '5.avif': `<!--ftypavif-->${DOCTYPE}${SVG}`,
  '6.png': `\ufeff<ftypavif>${SVG}</ftypavif>`,
  '7.jpg': `\n<?xftypavif?>${SVG}`,
  '8.gif': ` ${SVG}`,
  '9.tif': `<?xml version="1.0"?>${SVG}`,
};

describe('SVG files with the extensions of other formats', () => {
  test('are rejected one by one in a folder, while the other images are captioned', async () => {
    const at = await temporaryFolder({ ...DISGUISED });
    await copyFile(star, at('0.png'));
    const { exitCode, stdout, stderr } = await spawnBlip2(['caption', '--quiet', at(), '-o', at('out.jsonl')]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
    const results = (await readFile(at('out.jsonl'), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const refused = results.filter(({ error }) => error !== undefined);
    expect(refused.map(({ image }) => image).sort()).toEqual(Object.keys(DISGUISED).map((name) => at(name)));
    const refusal = { code: 'UNSUPPORTED_IMAGE', message: expect.stringContaining('got SVG') };
    for (const { error } of refused) expect(error).toMatchObject(refusal);
    expect(results.filter(({ error }) => error === undefined).map(({ image }) => image)).toEqual([at('0.png')]);
    expect(stderr).toContain('9 of 10 images failed.');
  });

  test('are rejected from stdin and by name', async () => {
    const at = await temporaryFolder({ ...DISGUISED });
    await writeFile(at('list.txt'), `${at('1.avif')}\n${at('4.avif')}\n`);
    for (const argument of ['-', at('5.avif'), `@${at('list.txt')}`]) {
      const stdin = argument === '-' ? `<!--ftypavif-->${SVG}` : '';
      const { exitCode, stdout, stderr } = await spawnBlip2(['caption', '--quiet', argument], { stdin });
      expect(stdout).toBe('');
      expect(exitCode).not.toBe(0);
      expect(stderr).toMatch(/UNSUPPORTED_IMAGE: image must be JPEG, PNG, WebP, GIF, TIFF or AVIF, got SVG \(/);
    }
  });
});
