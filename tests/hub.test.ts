import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { type HubServer, type HubServerOptions, startHubServer } from '@blip2/testing';
import { expect, onTestFinished, test } from 'vitest';

import { demoRepository } from './demo-hub.ts';

const root = join(import.meta.dirname, '..');
const executable = join(root, 'apps/cli/bin/blip2.js');
const image = join(root, 'examples/left-of.png');
const id = 'someone/blip2-opt-2.7b-tiny';

interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the built command in a process of its own; the hub is that of the test, and `onStart` is called with the first
 * line on stderr.
 */
function blip2(
  argv: readonly string[],
  variables: Readonly<Record<string, string>>,
  onStart: (interrupt: () => void) => void = () => {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [executable, ...argv], {
      cwd: root,
      env: { ...process.env, HF_TOKEN: '', HF_HUB_OFFLINE: '', ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
    child.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => void (stderr += text))
      .once('data', () => onStart(() => child.kill('SIGINT')));
    child.on('error', reject).on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

/** The demo checkpoint under a hub id, with an additional file of pickled weights. */
async function hub(
  options: Omit<HubServerOptions, 'repositories'> = {},
): Promise<{ server: HubServer; cache: string; variables: Record<string, string> }> {
  const demo = await demoRepository('blip2-opt-shapes');
  const server = await startHubServer({
    ...options,
    repositories: { [id]: { ...demo, files: { ...demo.files, 'pytorch_model.bin': 'never' } } },
  });
  onTestFinished(() => server.close());
  const cache = await mkdtemp(join(tmpdir(), 'blip2 hub ü '));
  onTestFinished(() => rm(cache, { recursive: true, force: true }));
  return {
    server,
    cache,
    variables: {
      HF_ENDPOINT: server.endpoint,
      HF_HUB_CACHE: cache,
      HF_HOME: join(cache, 'home'),
      BLIP2_CACHE: join(cache, 'converted'),
    },
  };
}

test('a hub id is downloaded once, then used without requests, with the same output as the folder', async () => {
  const { server, variables } = await hub();
  const first = await blip2(['caption', '-m', id, image], variables);
  expect(first).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/\ta blue triangle to the left of a small yellow circle\n$/),
  });
  expect(first.stderr).toContain('Licence: mit');
  expect(first.stderr).toContain('non-commercial research only');
  // No progress bar without a terminal, and no line per file.
  expect(first.stderr.split('\n').length).toBeLessThan(6);
  expect(server.requests.some(({ path }) => path.includes('.bin'))).toBe(false);
  const asked = server.requests.length;
  const offline = await blip2(['caption', '-m', id, '--offline', image], variables);
  expect(offline).toEqual({ exitCode: 0, stdout: first.stdout, stderr: '' });
  const byVariable = await blip2(['inspect', id], { ...variables, HF_HUB_OFFLINE: '1' });
  expect(byVariable).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('opt') });
  expect(server.requests.length).toBe(asked);
}, 120_000);

test('offline without the model: exit code 1, and one line with what to do', async () => {
  const { variables, server } = await hub();
  const { exitCode, stdout, stderr } = await blip2(['caption', '-m', id, '--offline', image], variables);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toMatch(/^OFFLINE: .*blip2 download .*\n$/);
  expect(server.requests).toEqual([]);
});

test('blip2 download: sizes and licence first, then the folder; --dry-run writes nothing', async () => {
  const { cache, variables } = await hub();
  const dry = await blip2(['download', id, '--dry-run'], variables);
  expect(dry).toMatchObject({ exitCode: 0, stderr: '' });
  expect(dry.stdout).toMatch(/Licence: mit\n.*OPT.*non-commercial/);
  expect(dry.stdout).toMatch(/^model\.safetensors\s+[\d.]+ MB$/m);
  expect(await readdir(cache)).toEqual([]);
  const done = await blip2(['download', id, '--json'], variables);
  expect(done.exitCode).toBe(0);
  const { folder } = JSON.parse(done.stdout) as { folder: string };
  expect(folder.startsWith(cache)).toBe(true);
  expect(done.stderr).toContain('Licence: mit');
  const again = await blip2(['download', id], variables);
  expect(again).toEqual({ exitCode: 0, stdout: `${folder}\n`, stderr: '' });
});

/** Waits until a partial file of weights exists. */
async function somethingHasCome(cache: string): Promise<void> {
  for (;;) {
    const names = (await readdir(cache, { recursive: true })).filter((name) => name.endsWith('.incomplete'));
    const sizes = await Promise.all(
      names.map((name) =>
        stat(join(cache, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    if (sizes.some((size) => size > 100_000)) return;
    await setTimeout(20);
  }
}

test('Ctrl-C during a download: exit code 130, and the next download resumes', async () => {
  const { server, cache, variables } = await hub({ pace: { bytes: 20_000, pause: 10 } });
  const stopped = await blip2(['download', id], variables, (interrupt) => void somethingHasCome(cache).then(interrupt));
  expect(stopped).toMatchObject({
    exitCode: 130,
    stdout: '',
    stderr: expect.stringContaining('Run the same command again'),
  });
  server.options = { ...server.options, pace: { bytes: 1_000_000, pause: 0 } };
  const asked = server.requests.length;
  expect((await blip2(['download', id, '--quiet'], variables)).exitCode).toBe(0);
  expect(server.requests.slice(asked).some(({ headers }) => headers.range !== undefined)).toBe(true);
});

test('blip2 cache: converted weights of a model', async () => {
  const { variables } = await hub();
  const caption = (): Promise<Run> =>
    blip2(
      ['caption', image, '-m', id, '--dtype', 'q4', '--max-new-tokens', '2', '--threads', '1', '--quiet'],
      variables,
    );
  expect((await caption()).exitCode).toBe(0);
  const listed = (await blip2(['cache', 'ls', '--converted'], variables)).stdout;
  expect(listed).toMatch(
    new RegExp(`^${id}\\tlanguage_model q4(\\+q8)?\\t[\\d.]+ [kM]B\\tused \\d{4}-\\d\\d-\\d\\d\\n`),
  );
  const files = (await blip2(['cache', '--converted', '--json'], variables)).stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { file: string }).file);
  expect(files.length).toBeGreaterThan(1);
  expect(await blip2(['cache', 'verify', '--converted'], variables)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('intact'),
  });
  const [first = ''] = files;
  const bytes = await readFile(first);
  await writeFile(first, bytes.fill(1, bytes.length - 4));
  expect(await blip2(['cache', 'verify', id, '--quiet', '--remove-damaged'], variables)).toMatchObject({
    exitCode: 1,
    stdout: `damaged\t${first}\n`,
  });
  expect((await blip2(['cache', 'prune', '--converted', '--dry-run'], variables)).stdout).toBe('Would free 0 B\n');
  expect((await blip2(['cache', 'rm', '--converted', `${id}x`], variables)).stderr).toContain(`Did you mean ${id}?`);
  expect(await blip2(['cache', 'rm', '--converted', id], variables)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/freed [\d.]+ [kM]B/),
  });
  expect((await blip2(['cache', '--converted'], variables)).stdout).toBe('0 converted, 0 B\n');
  expect((await blip2(['cache'], variables)).stdout).toContain(id);
  expect((await caption()).exitCode).toBe(0);
  expect((await blip2(['cache', 'rm', id], variables)).exitCode).toBe(0);
  expect((await blip2(['cache', '--converted'], variables)).stdout).toBe('0 converted, 0 B\n');
}, 90_000);

test('blip2 cache: ls, verify, rm', async () => {
  const { cache, variables } = await hub();
  const folder = (await blip2(['download', id, '--quiet'], variables)).stdout.trim();
  expect((await blip2(['cache'], variables)).stdout).toMatch(
    new RegExp(`^${id}\\t[\\d.]+ MB\\t[0-9a-f]{12} \\(main\\)\\n1 model, `),
  );
  expect(await blip2(['cache', 'verify'], variables)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('files are intact'),
  });
  const weights = await readFile(join(folder, 'model.safetensors'));
  weights[weights.length >> 1] = (weights[weights.length >> 1] ?? 0) ^ 1;
  // Replace the link with a damaged copy.
  await rm(join(folder, 'model.safetensors'));
  await writeFile(join(folder, 'model.safetensors'), weights);
  expect(await blip2(['cache', 'verify', id, '--quiet'], variables)).toMatchObject({
    exitCode: 1,
    stdout: `damaged\t${id}\tmodel.safetensors\n`,
  });
  expect(await blip2(['cache', 'prune', '--dry-run', '--json'], variables)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('"removed":false'),
  });
  const wrong = await blip2(['cache', 'rm', `${id}x`], variables);
  expect(wrong).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`Did you mean ${id}?`) });
  expect(await blip2(['cache', 'rm', id], variables)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/freed [\d.]+ MB/),
  });
  expect((await readdir(cache)).filter((name) => name.startsWith('models--'))).toEqual([]);
  expect(await blip2(['cache', 'lss'], variables)).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('Did you mean ls?'),
  });
});

test('inspecting a remote model reads configuration and headers: no weights, nothing is kept', async () => {
  const { server, cache, variables } = await hub();
  const [remote, local] = [
    await blip2(['inspect', id, '--json'], variables),
    await blip2(['inspect', 'apps/cli/models/blip2-opt-shapes', '--json'], variables),
  ];
  expect({ exitCode: remote.exitCode, stderr: remote.stderr }).toEqual({ exitCode: 0, stderr: '' });
  const [report, known] = [JSON.parse(remote.stdout), JSON.parse(local.stdout)];
  for (const key of ['parameters', 'parts', 'tasks', 'missing', 'architecture', 'runs'])
    expect(report[key]).toEqual(known[key]);
  expect(report.bytes.q4 / known.bytes.q4).toBeCloseTo(1, 2);
  expect(report.download).toMatchObject({ licence: 'mit', totalBytes: report.download.missingBytes });
  expect(report.download.totalBytes).toBeGreaterThan(4_000_000);
  expect(Math.max(...server.requests.map(({ sent }) => sent))).toBeLessThan(300_000);
  expect(await readdir(cache)).toEqual([]);
  expect(await blip2(['inspect', id, '--offline'], variables)).toMatchObject({
    exitCode: 1,
    stdout: '',
    stderr: expect.stringMatching(/^OFFLINE: /),
  });
});
