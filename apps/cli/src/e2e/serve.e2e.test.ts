import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { executable, repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';

interface Server {
  readonly url: string;
  readonly child: ChildProcess;
  /** Exit code, and everything on stdout and stderr. */
  readonly ended: Promise<{ exitCode: number | null; stdout: string; stderr: string }>;
}

/** Runs `blip2 serve` until it prints its address. */
async function startServer(argv: readonly string[] = []): Promise<Server> {
  const child = spawn(process.execPath, [executable, 'serve', '--port', '0', ...argv], { cwd: repository });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stderr.on('data', (data: Buffer) => void (stderr += data));
  const ended = new Promise<Awaited<Server['ended']>>((resolve) =>
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr })),
  );
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      stdout += data;
      const [, found] = /^Serving \S+ at (http:\S+)\n/.exec(stdout) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.on('close', () => reject(new Error(stderr)));
  });
  return { url, child, ended };
}

const image = readFileSync(join(repository, 'examples/left-of.png')).toString('base64');
const body = (more: object = {}): string =>
  JSON.stringify({
    messages: [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${image}` } }] },
    ],
    ...more,
  });
const post = (url: string, more?: object): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, { method: 'POST', body: body(more) });
const CAPTION = 'a blue triangle to the left of a small yellow circle';

describe('blip2 serve', () => {
  test('answers with the demo offline, logs without content, and ends with 0 on SIGTERM', async () => {
    const { url, child, ended } = await startServer(['--offline']);
    const { choices } = (await (await post(url)).json()) as { choices: { message: { content: string } }[] };
    expect(choices[0]?.message.content).toBe(CAPTION);
    child.kill('SIGTERM');
    const { exitCode, stdout, stderr } = await ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `Serving blip2-opt-shapes at ${url}\n` });
    const [, entry = '{}'] = stderr.trimEnd().split('\n');
    expect(JSON.parse(entry)).toMatchObject({ path: '/v1/chat/completions', status: 200, newTokens: 12 });
    expect(stderr).not.toContain(image.slice(0, 40));
  });

  test('finishes a stream before it ends', async () => {
    const { url, child, ended } = await startServer(['--quiet']);
    const response = await post(url, { stream: true, n: 6 });
    child.kill('SIGTERM');
    expect(await response.text()).toMatch(/data: \[DONE\]\n\n$/);
    expect(await ended).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('says in one line that a port is in use, and ends with 1', async () => {
    const { url } = await startServer();
    const { exitCode, stdout, stderr } = await spawnBlip2(['serve', '--port', new URL(url).port]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^EADDRINUSE: [^\n]*\n$/);
  });

  test('says in one line that a model does not exist, and ends with 1', async () => {
    const { exitCode, stderr } = await spawnBlip2(['serve', './no/such/folder', '--port', '0']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^[A-Z_]+: [^\n]*\n$/);
  });
});
