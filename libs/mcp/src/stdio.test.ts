import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const executable = join(repository, 'apps/cli/bin/blip2.js');

const CAPTION = 'a blue triangle to the left of a small yellow circle';
const dataUrl = `data:image/png;base64,${readFileSync(join(repository, 'examples/left-of.png')).toString('base64')}`;

interface Answer {
  readonly isError?: boolean;
  readonly content: readonly { readonly text: string }[];
  readonly structuredContent?: Readonly<Record<string, unknown>>;
}

async function connect(argv: readonly string[], cwd: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const args = [executable, 'mcp', '--offline', ...argv];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, cwd, stderr: 'ignore' }));
  return client;
}

let folder: string;
let client: Client;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'blip2-mcp-'));
  const images = join(folder, 'images');
  cpSync(join(repository, 'examples/left-of.png'), join(images, 'left-of.png'));
  cpSync(join(repository, 'examples/one-large-star.png'), join(images, 'inner/star.png'));
  writeFileSync(join(folder, 'secret.png'), readFileSync(join(repository, 'examples/left-of.png')));
  symlinkSync(join(folder, 'secret.png'), join(images, 'link.png'));
  writeFileSync(join(images, 'notes.txt'), 'no image');
  client = await connect([], images);
});
afterAll(async () => {
  await client.close();
  rmSync(folder, { recursive: true });
});

const call = async (name: string, args: object, options?: object): Promise<Answer> =>
  (await client.callTool({ name, arguments: { ...args } }, undefined, options)) as unknown as Answer;

describe('blip2 mcp, with the client of the SDK', () => {
  test('lists its tools with their schemas', async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['caption', 'ask', 'rank', 'match']);
    for (const { inputSchema, outputSchema, description, annotations } of tools) {
      expect(inputSchema.required).toContain('image');
      expect(outputSchema?.type).toBe('object');
      expect(description).toMatch(/\.$/);
      expect(annotations).toMatchObject({ readOnlyHint: true, openWorldHint: false });
    }
    expect(client.getServerVersion()).toMatchObject({ name: 'blip2', version: expect.stringMatching(/^\d/) });
  });

  test('describes an image: a file by its relative or absolute path, a file URL or a data URL', async () => {
    const absolute = join(folder, 'images/left-of.png');
    for (const image of ['left-of.png', './inner/../left-of.png', absolute, `file://${absolute}`, dataUrl]) {
      const { content, structuredContent } = await call('caption', { image });
      expect(content[0]?.text).toBe(CAPTION);
      expect(structuredContent).toEqual({ text: CAPTION, finish_reason: 'stop' });
    }
    expect((await call('caption', { image: 'inner/star.png' })).content[0]?.text).toContain('star');
    expect((await call('caption', { image: 'left-of.png', max_tokens: 2 })).structuredContent).toEqual({
      text: 'a blue',
      finish_reason: 'length',
    });
  });

  test('answers, ranks and matches', async () => {
    const image = 'left-of.png';
    expect((await call('ask', { image, question: 'what shape is on the left?' })).content[0]?.text).toBe('triangle');
    const question = 'what color is the triangle?';
    const { structuredContent: ranked } = await call('rank', { image, question, candidates: ['red', 'blue'] });
    expect(ranked).toMatchObject({ answers: [{ text: 'blue' }, { text: 'red' }] });
    const { structuredContent: described } = await call('rank', { image, candidates: ['a large star', CAPTION] });
    expect(described).toMatchObject({ answers: [{ text: CAPTION }, { text: 'a large star' }] });
    const { structuredContent: matched, content } = await call('match', { image, texts: ['a large star', CAPTION] });
    const [star, caption] = (matched as { scores: { text: string; itm: number; itc: number }[] }).scores;
    expect(caption?.itm).toBeGreaterThan(star?.itm ?? NaN);
    expect(JSON.parse(content[0]?.text ?? '')).toEqual(matched?.['scores']);
  });

  test('reports progress with the text so far', async () => {
    // The client drops the reports that arrive together with the result, so what the server sends is counted.
    const reports: { progress: number; message?: string }[] = [];
    const transport = client.transport as Transport;
    const receive = transport.onmessage as NonNullable<Transport['onmessage']>;
    transport.onmessage = (message, extra) => {
      if ('method' in message && message.method === 'notifications/progress')
        reports.push(message.params as unknown as (typeof reports)[0]);
      receive(message, extra);
    };
    await call('caption', { image: 'left-of.png' }, { onprogress: () => undefined });
    transport.onmessage = receive;
    expect(reports.map(({ progress }) => progress)).toEqual(reports.map((_, index) => index + 1));
    expect(reports[0]?.message).toBe('Loading the model');
    expect(reports.length).toBeGreaterThan(3);
    for (const { message } of reports.slice(1)) expect(CAPTION.startsWith(message ?? '?')).toBe(true);
  });

  test('ends a call that is cancelled, and answers the next one', async () => {
    const controller = new AbortController();
    const cancelled = call(
      'caption',
      { image: 'left-of.png' },
      { signal: controller.signal, onprogress: () => controller.abort('enough') },
    );
    await expect(cancelled).rejects.toThrow('enough');
    expect((await call('caption', { image: 'left-of.png' })).content[0]?.text).toBe(CAPTION);
  });

  test.each([
    ['a file outside', '../secret.png', /^INVALID_ARGUMENT: image must be an existing file in an allowed folder/],
    ['a link that leads outside', 'link.png', /^INVALID_ARGUMENT: image must be an existing file/],
    ['a file that does not exist', 'none.png', /^INVALID_ARGUMENT: image must be an existing file/],
    ['a system file', '/etc/passwd', /^INVALID_ARGUMENT: image must be an existing file/],
    ['the folder itself', '.', /^INVALID_ARGUMENT/],
    ['a folder', 'inner', /^IMAGE_TOO_LARGE|^INVALID/],
    ['what is not an image', 'notes.txt', /^(?:INVALID|UNSUPPORTED)_IMAGE/],
    ['a URL', 'http://127.0.0.1:1/x.png', /^INVALID_ARGUMENT: .*--allow-image-urls/],
    ['a broken data URL', 'data:image/png;base64,AAAA', /^INVALID_IMAGE/],
    ['a URL of another machine', 'file://server/x.png', /^INVALID_ARGUMENT/],
    ['a NUL character', 'left-of.png\0', /^INVALID_ARGUMENT/],
  ])('%s is an error that the model can read', async (_, image, message) => {
    for (const [name, more] of [
      ['caption', {}],
      ['match', { texts: ['x'] }],
    ] as const) {
      const { isError, content } = await call(name, { image, ...more });
      expect(isError).toBe(true);
      expect(content[0]?.text).toMatch(message);
      expect(content[0]?.text).not.toContain('\n');
    }
  });

  test.each([
    ['no image', 'caption', {}],
    ['an empty question', 'ask', { image: 'left-of.png', question: '' }],
    ['no candidates', 'rank', { image: 'left-of.png', candidates: [] }],
    ['too many tokens', 'caption', { image: 'left-of.png', max_tokens: 1000 }],
    ['a wrong type', 'match', { image: 'left-of.png', texts: 'x' }],
  ])('%s is refused, and the server goes on', async (_, name, args) => {
    const outcome = await call(name, args).catch(() => ({ isError: true }));
    expect(outcome.isError).toBe(true);
    expect((await call('caption', { image: 'left-of.png' })).content[0]?.text).toBe(CAPTION);
  });
});

test('a model without a retrieval checkpoint has no match, and the other way around', async () => {
  const opt = join(repository, 'apps/cli/models/blip2-opt-shapes');
  const itm = join(repository, 'apps/cli/models/blip2-itm-shapes');
  for (const [argv, names] of [
    [[opt], ['caption', 'ask', 'rank']],
    [['--match-model', itm], ['match']],
  ] as const) {
    const other = await connect(argv, repository);
    expect((await other.listTools()).tools.map(({ name }) => name)).toEqual(names);
    await other.close();
  }
});

test('an allowed URL is fetched from public addresses only', async () => {
  const other = await connect(['--allow-image-urls'], repository);
  const answer = await other.callTool({ name: 'caption', arguments: { image: 'http://127.0.0.1:1/x.png' } });
  expect(answer).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/^INVALID_ARGUMENT/) }] });
  await other.close();
});

test('writes nothing but protocol to stdout, also for garbage, and ends with 0 when its input ends', async () => {
  const child = spawn(process.execPath, [executable, 'mcp', '--offline'], { cwd: repository });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => void (stdout += data));
  child.stderr.on('data', (data: Buffer) => void (stderr += data));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const send = (message: object | string): void =>
    void child.stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  const head = { jsonrpc: '2.0' };
  const clientInfo = { name: 'raw', version: '1' };
  const answers = (): { id: number; result?: unknown }[] =>
    stdout
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  send({
    ...head,
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo },
  });
  send({ ...head, method: 'notifications/initialized' });
  send('{ this is not JSON');
  send({ ...head, id: 2, method: 'tools/call', params: { name: 'ask', arguments: { image: 5 } } });
  const args = { image: 'examples/left-of.png' };
  send({ ...head, id: 3, method: 'tools/call', params: { name: 'caption', arguments: args } });
  while (!stdout.includes('"id":3')) await new Promise((resolve) => setTimeout(resolve, 20));
  child.stdin.end();
  expect(await ended).toBe(0);
  expect(answers().map(({ id }) => id)).toEqual([1, 2, 3]);
  expect(JSON.stringify(answers().at(-1)?.result)).toContain(CAPTION);
  expect(stderr).toContain('demo checkpoint');
});

test('a root that does not exist is refused', () => {
  const args = [executable, 'mcp', '--root', '/no/such/folder'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain('MISSING_FILE');
});
