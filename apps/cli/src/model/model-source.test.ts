import { describe, expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { loadCall, loadingCommands } from '../fixtures/loading-commands.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { demoModelFolder } from '../model/demo-model.ts';

const MODEL = ['-m', 'owner/name', '--revision', 'refs/pr/1'];

describe('--revision', () => {
  test.each(loadingCommands)('is passed on to the loader by %s', async (...command) => {
    expect(await loadCall(command, MODEL)).toMatchObject({
      source: 'owner/name',
      settings: { revision: 'refs/pr/1' },
    });
  });

  test('is refused for a folder and for the built-in demo, which have none', async () => {
    const at = await temporaryFolder({ 'a.png': 'image' });
    for (const model of [['-m', demoModelFolder], []])
      expect(await runFake(['caption', at('a.png'), '--revision', 'main', ...model])).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('--revision must be omitted for a folder'),
      });
    for (const command of ['inspect', 'bench'])
      expect(await runFake([command, demoModelFolder, '--revision', 'main'])).toMatchObject({ exitCode: 2 });
    expect(await runFake(['compare', demoModelFolder, at('a.png'), '--revision', 'main'])).toMatchObject({
      exitCode: 2,
    });
  });

  test.each(['caption', 'ask', 'chat', 'rank', 'match', 'embed', 'heatmap', 'compare', 'bench', 'inspect', 'download'])(
    'is an option of %s',
    async (command) => {
      expect((await runFake([command, '--help'])).stdout).toContain('--revision <name>');
    },
  );
});
