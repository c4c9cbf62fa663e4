import { describe, expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { loadCall, loadingCommands } from '../fixtures/loading-commands.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { demoModelFolder } from './demo-model.ts';
import { sourceOf } from './model-source.ts';

describe('the sources of a model', () => {
  test.each([
    ['nothing is the demo', {}, 'demo'],
    ['a model', { model: 'm' }, 'm'],
    ['an encoder replaces that of the model', { model: 'm', vision: 'v' }, { qformer: 'm', vision: 'v' }],
    ['an encoder replaces that of the demo', { vision: 'v' }, { qformer: 'demo', vision: 'v' }],
    ['a Q-Former is the model without one', { qformer: 'q', language: 'l' }, { qformer: 'q', language: 'l' }],
    [
      'the other parts stay those of the model',
      { model: 'm', qformer: 'q' },
      { qformer: 'q', vision: 'm', language: 'm', processor: 'm' },
    ],
    [
      'a language model brings its tokenizer',
      { model: 'm', qformer: 'q', language: 'l' },
      { qformer: 'q', vision: 'm', language: 'l' },
    ],
    [
      'a source per part',
      { vision: 'v', qformer: 'q', language: 'l', processor: 'p' },
      { vision: 'v', qformer: 'q', language: 'l', processor: 'p' },
    ],
  ])('%s', (_, options, expected) => {
    expect(sourceOf(options, { demoFolder: 'demo' })).toEqual(expected);
  });

  test('a model that nothing is left for is refused', () => {
    const all = { model: 'm', vision: 'v', qformer: 'q', language: 'l', processor: 'p' };
    expect(() => sourceOf(all, { demoFolder: 'demo' })).toThrow('--model must be omitted, because every part');
  });
});

const PARTS = ['--vision', 'v', '--processor', 'p'];

describe('--vision, --qformer, --language and --processor', () => {
  test.each(loadingCommands)('are passed on to the loader by %s', async (...command) => {
    expect(await loadCall(command, ['-m', demoModelFolder, ...PARTS])).toMatchObject({
      source: { qformer: demoModelFolder, vision: 'v', processor: 'p' },
    });
  });

  test.each(['match', 'embed', 'heatmap'])('%s refuses a language model, which it never loads', async (command) => {
    const at = await temporaryFolder({ 'a.png': 'image' });
    const more = { match: ['-t', 'a'], embed: ['--json'], heatmap: ['-o', at('map.png')] }[command] ?? [];
    expect(await runFake([command, at('a.png'), ...more, '--language', 'l'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--language must be omitted, because this command does not load that part'),
    });
  });

  test.each(['caption', 'ask', 'chat', 'rank', 'match', 'embed', 'heatmap', 'inspect', 'compare', 'bench'])(
    'are options of %s',
    async (command) => {
      const { stdout } = await runFake([command, '--help']);
      for (const option of ['--vision', '--qformer', '--language', '--processor', '--module'])
        expect(stdout).toContain(option);
    },
  );

  test('a revision is refused for several hub models', async () => {
    const at = await temporaryFolder({ 'a.png': 'image' });
    const hub = ['-m', 'one/model', '--vision', 'another/encoder', '--revision', 'main'];
    expect(await runFake(['caption', at('a.png'), ...hub])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--revision must be omitted for several hub models'),
    });
    const one = ['-m', demoModelFolder, '--vision', 'another/encoder', '--revision', 'main'];
    const { calls } = await runFake(['caption', at('a.png'), ...one]);
    expect(calls.find(({ name }) => name === 'load')).toMatchObject({ settings: { revision: 'main' } });
  });

  test('a run is not resumed with another encoder', async () => {
    const at = await temporaryFolder({ 'a.png': 'image', 'b.png': 'image' });
    const run = (vision: string): Promise<{ readonly exitCode: number; readonly stderr: string }> =>
      runFake(['caption', at('a.png'), '-o', at('out.jsonl'), '-m', demoModelFolder, '--vision', vision]);
    const [one, other] = [at(), demoModelFolder];
    expect((await run(one)).exitCode).toBe(0);
    expect((await run(one)).exitCode).toBe(0);
    expect(await run(other)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('parts.vision.model was'),
    });
  });
});
