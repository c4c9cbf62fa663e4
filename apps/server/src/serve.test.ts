import { execFileSync } from 'node:child_process';
import { request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

import { describe, expect, onTestFinished, test } from 'vitest';

import {
  chat,
  type DemoServer,
  LEFT_OF_CAPTION,
  leftOf,
  SEQ2SEQ_MODEL,
  startDemoServer,
  TEXT_MODEL,
} from './fixtures/demo-server.ts';

const PATH = '/v1/chat/completions';
const start = async (options: Parameters<typeof startDemoServer>[0] = {}): Promise<DemoServer> => {
  const server = await startDemoServer(options);
  onTestFinished(() => server.close());
  return server;
};
const get = async (server: DemoServer, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(server.url + path, { headers });

/** Child processes of this one, which models run in. */
const children = (): number[] =>
  execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('worker'))
    .map((line) => Number.parseInt(line, 10));

/** Waits until something is so, however long it takes on this machine. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await wait(5);
}

describe('access', () => {
  test('a key is required on every route but health', async () => {
    const server = await start({ apiKey: 'secret' });
    expect((await get(server, '/health/live')).status).toBe(200);
    for (const path of ['/v1/models', '/metrics', '/openapi.json']) expect((await get(server, path)).status).toBe(401);
    const wrong = await server.post(PATH, chat(leftOf), { headers: { authorization: 'Bearer secre' } });
    expect(wrong).toMatchObject({ status: 401, body: { error: { code: 'UNAUTHORIZED' } } });
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer');
    const right = await server.post(PATH, chat(leftOf), { headers: { authorization: 'Bearer secret' } });
    expect(right.status).toBe(200);
    expect((await get(server, '/v1/models', { 'x-api-key': 'secret' })).status).toBe(200);
  });

  test('web pages of other origins are refused, unless they are allowed', async () => {
    const origin = 'https://page.example';
    const closed = await start();
    const refused = await get(closed, '/v1/models', { origin });
    expect(refused.status).toBe(403);
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    expect((await get(closed, '/v1/models', { origin: closed.url })).status).toBe(200);
    const open = await start({ corsOrigins: [origin] });
    const allowed = await get(open, '/v1/models', { origin });
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([200, origin]);
    const preflight = await fetch(open.url + PATH, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-headers': 'content-type' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, 'content-type']);
    expect((await get(open, '/v1/models', { origin: 'https://other.example' })).status).toBe(403);
  });

  test('a name that resolves to this machine does not open a server of this machine to web pages', async () => {
    const server = await start();
    const { port } = new URL(server.url);
    const status = await new Promise((resolve, reject) => {
      request({ port, path: '/v1/models', headers: { host: 'evil.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });
});

describe('limits', () => {
  test('a body that is too large is refused, whether it says so or not', async () => {
    const server = await start({ limits: { maxBodyBytes: 1000 } });
    const declared = await server.post(PATH, chat(leftOf));
    expect(declared).toMatchObject({ status: 413, body: { error: { code: 'BODY_TOO_LARGE' } } });
    const chunked = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode(' '.repeat(500))),
    });
    const streamed = await fetch(server.url + PATH, { method: 'POST', body: chunked, duplex: 'half' } as RequestInit);
    expect(streamed.status).toBe(413);
    expect((await get(server, '/v1/models')).status).toBe(200);
  });

  test('pixels and tokens are limited', async () => {
    const server = await start({ limits: { maxPixels: 100, maxNewTokens: 2 } });
    expect(await server.post(PATH, chat(leftOf))).toMatchObject({
      status: 413,
      body: { error: { code: 'IMAGE_TOO_LARGE' } },
    });
    const other = await start({ limits: { maxNewTokens: 2 } });
    const { body } = await other.post(PATH, chat(leftOf, undefined, { max_tokens: 20 }));
    expect(body).toMatchObject({ choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 2 } });
  });

  test('a request that takes longer than its deadline ends with 504', async () => {
    const server = await start({ limits: { requestTimeoutMs: 1 } });
    expect(await server.post(PATH, chat(leftOf))).toMatchObject({
      status: 504,
      body: { error: { code: 'TIMED_OUT' } },
    });
  });

  test('requests beyond the queue get 429 and when to come back; the others are all answered', async () => {
    const server = await start({ limits: { maxRunning: 2, maxWaiting: 1 } });
    const answers = await Promise.all(Array.from({ length: 12 }, () => server.post(PATH, chat(leftOf))));
    const refused = answers.filter(({ status }) => status === 429);
    const answered = answers.filter(({ status }) => status === 200);
    expect(refused.length).toBeGreaterThan(0);
    expect(answered.length).toBeGreaterThanOrEqual(3);
    expect(refused.length + answered.length).toBe(12);
    expect(refused[0]).toMatchObject({ body: { error: { code: 'QUEUE_FULL' } } });
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
    for (const { body } of answered) expect(body.choices[0].message.content).toBe(LEFT_OF_CAPTION);
  });

  test.each([
    { maxPixels: 0 },
    { maxWaiting: -1 },
    { maxNewTokens: NaN },
    { maxRunning: 1.5 },
    { imageCacheBytes: -1 },
  ])('%j is refused', async (limits) => {
    await expect(startDemoServer({ limits })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('memory', () => {
  const loaded = async (server: DemoServer): Promise<string[]> => {
    const { models } = (await (await get(server, '/api/ps')).json()) as { models: { name: string }[] };
    return models.map(({ name }) => name);
  };
  const load = (server: DemoServer, model: string): ReturnType<DemoServer['post']> =>
    server.post('/api/generate', { model });

  test('an idle model is unloaded for another one', async () => {
    const server = await start({ limits: { maxModelBytes: 6_000_000 } });
    expect(await loaded(server)).toEqual(['opt']);
    expect((await load(server, 't5')).status).toBe(200);
    expect(await loaded(server)).toEqual(['t5']);
  });

  test('a model that is in use is not', async () => {
    const server = await start({ limits: { maxModelBytes: 6_000_000, maxNewTokens: 100 } });
    const body = JSON.stringify(chat(leftOf, undefined, { stream: true, max_tokens: 100, temperature: 10, n: 16 }));
    const response = await fetch(server.url + PATH, { method: 'POST', body });
    expect(await load(server, 't5')).toMatchObject({ status: 429, body: { code: 'QUEUE_FULL' } });
    await response.text();
  });

  test('a model is unloaded after its idle time', async () => {
    const server = await start({ keepAliveMs: 1 });
    await until(async () => (await loaded(server)).length === 0);
    expect((await server.post(PATH, chat(leftOf))).status).toBe(200);
  });
});

test('an upload that stalls ends at its deadline', async () => {
  const server = await start({ limits: { requestTimeoutMs: 100 } });
  const { port } = new URL(server.url);
  const status = await new Promise((resolve, reject) => {
    const upload = request({ port, path: PATH, method: 'POST', headers: { 'content-length': 1000 } }, (response) => {
      response.resume();
      resolve(response.statusCode);
      upload.destroy();
    });
    upload.on('error', reject).write('{');
  });
  expect(status).toBe(504);
});

test('image URLs are fetched from public addresses only, and only if they are allowed', async () => {
  const server = await start({ limits: { allowUrls: true } });
  const content = [{ type: 'image_url', image_url: { url: `${server.url}/image.png` } }];
  const { status, body } = await server.post(PATH, { messages: [{ role: 'user', content }] });
  expect([status, body.error.code]).toEqual([400, 'INVALID_ARGUMENT']);
  expect(body.error.message).toMatch(/address|private|public/i);
});

test('metrics count requests, tokens and failures', async () => {
  const server = await start();
  await server.post(PATH, chat(leftOf));
  await server.post(PATH, {});
  const text = await (await get(server, '/metrics')).text();
  for (const line of [
    'blip2:request_success_total{model_name="opt",finished_reason="stop"} 1',
    'blip2:request_failure_total{code="INVALID_ARGUMENT"} 1',
    'blip2:generation_tokens_total{model_name="opt"} 12',
    'blip2:prompt_tokens_total{model_name="opt"} 12',
    'blip2:time_to_first_token_seconds_count{model_name="opt"} 1',
    'blip2:e2e_request_latency_seconds_count{model_name="opt"} 1',
    'blip2:image_encode_seconds_count{model_name="opt"} 1',
  ])
    expect(text).toContain(line);
});

describe('disconnects', () => {
  test('a client that leaves frees its place at the model, before the next tokens', async () => {
    const server = await start();
    const controller = new AbortController();
    const long = { stream: true, max_tokens: 100, temperature: 10, n: 16, seed: 1 };
    const body = JSON.stringify(chat(leftOf, undefined, long));
    const whole = await (await fetch(server.url + PATH, { method: 'POST', body })).text();
    expect(whole).toContain('[DONE]');
    const response = await fetch(server.url + PATH, { method: 'POST', body, signal: controller.signal });
    await response.body?.getReader().read();
    controller.abort();
    await until(() => server.entries.length > 1);
    const [all, left] = server.entries;
    expect(left).toMatchObject({ status: 200, code: 'ABORTED' });
    expect(left?.newTokens).toBeGreaterThan(0);
    expect(left?.newTokens).toBeLessThan((all?.newTokens ?? 0) / 2);
    expect((await server.post(PATH, chat(leftOf))).status).toBe(200);
  });

  test('a client that leaves while it waits is not answered at all', async () => {
    const server = await start();
    const controllers = Array.from({ length: 6 }, () => new AbortController());
    const gone = controllers.map(({ signal }) =>
      fetch(server.url + PATH, { method: 'POST', body: JSON.stringify(chat(leftOf)), signal }).catch(() => undefined),
    );
    await wait(20);
    for (const controller of controllers) controller.abort();
    await Promise.all(gone);
    await until(() => server.entries.length === 6);
    expect(server.entries.map(({ code }) => code)).toContain('ABORTED');
    const metrics = await (await get(server, '/metrics')).text();
    expect(metrics).toContain('blip2:num_requests_running{model_name="opt"} 0');
    expect(metrics).toContain('blip2:num_requests_waiting{model_name="opt"} 0');
  });
});

describe('the model process', () => {
  const isolated = { models: [TEXT_MODEL], load: { isolate: 'process' } } as const;

  test('that is killed ends its requests with 503 and a code, and is back for the next', async () => {
    const server = await start(isolated);
    const before = children();
    expect(before.length).toBeGreaterThan(0);
    const long = { n: 16, temperature: 10, max_tokens: 100 };
    const waiting = server.post(PATH, chat(leftOf, undefined, long));
    // Its answer comes while the other request is at the model.
    await server.post(PATH, chat(leftOf, undefined, { max_tokens: 1 }));
    for (const pid of before) process.kill(pid, 'SIGKILL');
    expect(await waiting).toMatchObject({ status: 503, body: { error: { code: 'WORKER_FAILED' } } });
    const body = JSON.stringify(chat(leftOf, undefined, { ...long, stream: true }));
    const streaming = await fetch(server.url + PATH, { method: 'POST', body });
    for (const pid of children()) process.kill(pid, 'SIGKILL');
    expect(await streaming.text()).toContain('"code":"WORKER_FAILED"');
    expect(await server.post(PATH, chat(leftOf))).toMatchObject({
      status: 200,
      body: { choices: [{ message: { content: LEFT_OF_CAPTION } }] },
    });
    expect(children().some((pid) => before.includes(pid))).toBe(false);
  });

  test('that hangs is replaced even if every request reaches its deadline first', async () => {
    const server = await start({ ...isolated, limits: { hangTimeoutMs: 1500, requestTimeoutMs: 1000 } });
    const before = children();
    for (const pid of before) process.kill(pid, 'SIGSTOP');
    expect(await server.post(PATH, chat(leftOf))).toMatchObject({ status: 504 });
    await until(async () => (await server.post(PATH, chat(leftOf))).status === 200);
    await until(() => !children().some((pid) => before.includes(pid)));
  });

  test('that hangs is replaced, and its request ends with 503 and a code', async () => {
    const server = await start({ ...isolated, limits: { hangTimeoutMs: 1000 } });
    const before = children();
    for (const pid of before) process.kill(pid, 'SIGSTOP');
    expect(await server.post(PATH, chat(leftOf))).toMatchObject({
      status: 503,
      body: { error: { code: 'WORKER_FAILED' } },
    });
    await until(async () => (await server.post(PATH, chat(leftOf))).status === 200);
    await until(() => !children().some((pid) => before.includes(pid)));
  });
});

test('a model that hangs while it is loaded ends its requests with 503 and a code, and is loaded again', async () => {
  const server = await start({
    models: [TEXT_MODEL, SEQ2SEQ_MODEL],
    load: { isolate: 'process' },
    limits: { loadTimeoutMs: 20_000 },
  });
  const before = children();
  const answer = server.post(PATH, chat(leftOf, undefined, { model: 't5' }));
  let started: number[] = [];
  await until(() => (started = children().filter((pid) => !before.includes(pid))).length > 0);
  for (const pid of started) process.kill(pid, 'SIGSTOP');
  const other = await server.post(PATH, chat(leftOf));
  expect(other.status).toBe(200);
  expect(await answer).toMatchObject({ status: 503, body: { error: { code: 'WORKER_FAILED' } } });
  await until(async () => (await server.post(PATH, chat(leftOf, undefined, { model: 't5' }))).status === 200);
  await until(() => !children().some((pid) => started.includes(pid)));
});

test('concurrent requests share steps, images and prompts; metrics show it', async () => {
  const server = await start();
  const question = 'what color is the triangle?';
  const bodies = [chat(leftOf), chat(leftOf, question), chat(leftOf, undefined, { temperature: 1, seed: 3 })];
  const alone = [];
  for (const body of bodies) alone.push((await server.post(PATH, body)).body.choices);
  const together = await Promise.all([...bodies, ...bodies, ...bodies].map((body) => server.post(PATH, body)));
  expect(together.map(({ body }) => body.choices)).toEqual([...alone, ...alone, ...alone]);
  const text = await (await get(server, '/metrics')).text();
  const value = (name: string): number =>
    Number(new RegExp(`^blip2:${name}{model_name="opt"} (.+)$`, 'm').exec(text)?.[1]);
  expect(value('decoded_rows_total')).toBeGreaterThan(value('decoding_steps_total'));
  expect(value('mm_cache_queries_total')).toBe(12);
  expect(value('mm_cache_hits_total')).toBe(11);
  expect(value('encoded_images_total')).toBe(1);
  expect(value('prefix_cache_hits_total')).toBeGreaterThan(0);
  expect(value('batch_rows')).toBe(0);
});

describe('the end of a server', () => {
  test('finishes the requests in progress and refuses new ones', async () => {
    const server = await startDemoServer();
    const streaming = fetch(server.url + PATH, {
      method: 'POST',
      body: JSON.stringify(chat(leftOf, undefined, { stream: true, n: 8 })),
    });
    const response = await streaming;
    const closing = server.close();
    const late = await server.post(PATH, chat(leftOf)).catch((error: unknown) => error);
    if (!(late instanceof Error))
      expect(late).toMatchObject({ status: 503, body: { error: { code: 'SHUTTING_DOWN' } } });
    expect(await response.text()).toMatch(/data: \[DONE\]\n\n$/);
    await closing;
    await expect(get(server, '/health/live')).rejects.toThrow('fetch failed');
  });

  test('aborts what takes longer than the time for it', async () => {
    const server = await startDemoServer({ limits: { shutdownMs: 1 } });
    const body = JSON.stringify(chat(leftOf, undefined, { stream: true, n: 16, temperature: 10, max_tokens: 100 }));
    const response = await fetch(server.url + PATH, { method: 'POST', body });
    await server.close();
    expect(await response.text()).toContain('"code":"ABORTED"');
  });
});

test('a port in use is the error of Node', async () => {
  const server = await start();
  await expect(startDemoServer({ port: Number(new URL(server.url).port) })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});

test('a default model that cannot be loaded is refused before the server answers', async () => {
  await expect(startDemoServer({ models: [{ name: 'x', source: '/nowhere' }] })).rejects.toMatchObject({
    code: 'MISSING_FILE',
  });
});

describe('health', () => {
  test('is ready with the default model; another that cannot be loaded fails its requests only', async () => {
    const server = await start({ models: [TEXT_MODEL, { name: 'broken', source: '/nowhere' }] });
    expect((await get(server, '/health/ready')).status).toBe(200);
    expect(await server.post(PATH, chat(leftOf, undefined, { model: 'broken' }))).toMatchObject({
      status: 500,
      body: { error: { code: 'MISSING_FILE' } },
    });
    expect((await server.post(PATH, chat(leftOf))).status).toBe(200);
  });
});

test('logs have numbers, and prompts only if they were asked for', async () => {
  const quiet = await start();
  await quiet.post(PATH, chat(leftOf, 'what is my secret?'));
  expect(quiet.entries).toHaveLength(1);
  expect(quiet.entries[0]).toMatchObject({ method: 'POST', path: PATH, status: 200, model: 'opt', images: 1 });
  expect(JSON.stringify(quiet.entries)).not.toContain('secret');
  const talkative = await start({ logPrompts: true });
  await talkative.post(PATH, chat(leftOf, 'what is my secret?'));
  expect(talkative.entries[0]?.prompt).toBe('what is my secret?');
});
