import { join } from 'node:path';

import { expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { loadCall, loadingCommands } from '../fixtures/loading-commands.ts';
import { repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';

const image = join(repository, 'examples/left-of.png');
const GENERATION = ['caption', 'ask', 'chat', 'rank', 'match', 'embed', 'heatmap', 'compare', 'bench', 'serve'];

test.each(loadingCommands)('--isolate is passed on to the loader by %s', async (...command) => {
  for (const isolate of ['worker', 'process', 'inline'])
    expect(await loadCall(command, ['--isolate', isolate])).toMatchObject({ settings: { isolate } });
});

test.each(GENERATION)('%s has --isolate, with its default, and refuses other values', async (command) => {
  const { stdout } = await runFake([command, '--help']);
  const help = stdout.replaceAll(/\s+/g, ' ');
  expect(help).toContain('--isolate <where>');
  expect(help).toContain(`default: ${command === 'serve' ? 'process' : 'worker'}`);
  const args = { ask: ['-q', 'x'], rank: ['-q', 'x', '-c', 'a'], match: ['-t', 'x'] }[command] ?? [];
  const inputs = { compare: ['model', image], bench: [], serve: [] }[command] ?? [image];
  expect(await runFake([command, ...inputs, ...args, '--isolate', 'thread'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/--isolate.*thread.*worker, process, inline/s) as string,
  });
});

test.each([
  ['caption', image],
  ['match', image, '-t', 'a star', '--json'],
  ['embed', image, '--json'],
  ['rank', image, '-q', 'what?', '-c', 'star', '-c', 'circle', '--json'],
])(
  'the results of %s do not depend on --isolate',
  async (...argv) => {
    const [worker, process, inline] = await Promise.all(
      ['worker', 'process', 'inline'].map((where) =>
        spawnBlip2([...argv, '--quiet', '--threads', '1', '--isolate', where]),
      ),
    );
    expect(worker).toMatchObject({ exitCode: 0, stderr: '' });
    expect(process).toEqual(worker);
    expect(inline).toEqual(worker);
  },
  60_000,
);

test('compare and bench run in child processes too, and count their memory', async () => {
  const compare = [
    'compare',
    join(repository, 'apps/cli/models/blip2-opt-shapes'),
    image,
    '--dtype',
    'fp32,q8',
    '--json',
  ];
  const bench = ['bench', '--rounds', '1', '--new-tokens', '2', '--json'];
  const [compared, inline] = await Promise.all([
    spawnBlip2([...compare, '--isolate', 'process']),
    spawnBlip2([...compare, '--isolate', 'inline']),
  ]);
  expect(compared).toMatchObject({ exitCode: 0 });
  expect(inline).toMatchObject({ exitCode: 0 });
  const { stdout } = await spawnBlip2([...bench, '--isolate', 'process']);
  const { stdout: alone } = await spawnBlip2([...bench, '--isolate', 'inline']);
  const memory = (text: string): number => (JSON.parse(text) as { rssAnonMiB: number }).rssAnonMiB;
  expect(JSON.parse(stdout)).toMatchObject({ isolate: 'process' });
  // Two child processes with a runtime each.
  expect(memory(stdout)).toBeGreaterThan(memory(alone) * 1.3);
}, 120_000);
