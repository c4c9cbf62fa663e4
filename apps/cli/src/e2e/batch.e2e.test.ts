import { spawn } from 'node:child_process';
import { appendFile, copyFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { executable, repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const example = (name: string): string => join(repository, 'examples', name);
const linesOf = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');

/** A folder of images, every fifth of them broken in one of three ways. */
async function manyImages(count: number): Promise<(name?: string) => string> {
  const at = await temporaryFolder();
  for (let index = 0; index < count; index++) {
    const file = at(`Bild ü ${index}.png`);
    if (index % 15 === 1) await writeFile(file, 'no image at all');
    else if (index % 15 === 6) await writeFile(file, '');
    else await copyFile(example('small-one.png'), file);
    if (index % 15 === 11) await truncate(file, 300);
  }
  return at;
}

/** Runs `blip2` and kills it when the output has this many lines. */
function killedAfter(lines: number, output: string, argv: readonly string[]): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, [executable, ...argv], { cwd: repository, stdio: 'ignore' });
  void (async () => {
    while (child.exitCode === null && (await linesOf(output)).length < lines) await setTimeout(5);
    child.kill('SIGKILL');
  })();
  return new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)));
}

describe('a long run that is killed twice, with an incomplete last line', () => {
  test('resumes: every good image once, every broken one reported, all on one sheet', async () => {
    const count = 150;
    const at = await manyImages(count);
    const output = at('out.jsonl');
    const argv = ['caption', '--quiet', '--batch-size', '2', at(), '-o', output, '--report', at('out.html')];
    expect(await killedAfter(8, output, argv)).toBe('SIGKILL');
    const torn = (await readFile(output, 'utf8')).slice(0, -20);
    await writeFile(output, torn);
    expect(await killedAfter(torn.split('\n').length + 10, output, argv)).toBe('SIGKILL');
    await appendFile(output, '{"image":"half of a li');
    const { exitCode, stdout, stderr } = await spawnBlip2(argv);
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
    expect(stderr).toContain(`${count / 5} of ${count} images failed.`);
    const results = (await linesOf(output)).map((line) => JSON.parse(line));
    expect(results.map(({ image }) => image).sort()).toEqual(
      Array.from({ length: count }, (_, index) => at(`Bild ü ${index}.png`)).sort(),
    );
    expect(results.filter(({ error }) => error !== undefined)).toHaveLength(count / 5);
    const html = await readFile(at('out.html'), 'utf8');
    expect(html.match(/<figure/g)).toHaveLength(count);
    expect(html.match(/<figure class="failed"/g)).toHaveLength(count / 5);
    expect(html.match(/<img src="data:image\/jpeg;base64,/g)).toHaveLength(count - count / 5);
  });
});

describe('an image on a server of this machine', () => {
  test('is described if allowed', async () => {
    const image = await readFile(example('one-large-star.png'));
    const server = createServer((_request, response) => void response.end(image));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/star.png`;
      expect((await spawnBlip2(['caption', '--quiet', url])).exitCode).toBe(3);
      expect((await spawnBlip2(['caption', '--quiet', '--allow-private-urls', url, url])).stdout).toBe(
        `${url}\ta large yellow star\n`.repeat(2),
      );
    } finally {
      server.close();
    }
  });
});
