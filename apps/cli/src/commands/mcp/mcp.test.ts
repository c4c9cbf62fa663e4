import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';

/** The settings that `blip2 mcp` starts with. */
async function settingsOf(argv: readonly string[]): Promise<{ settings: unknown; stderr: string }> {
  const { exitCode, stdout, stderr, calls } = await runFake(['mcp', ...argv]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  expect(calls.map(({ name }) => name)).toEqual(['mcp']);
  return { settings: JSON.parse(String(calls[0]?.['what'])), stderr };
}

describe('blip2 mcp', () => {
  test('serves both demo checkpoints for the images of this folder, with a notice on stderr only', async () => {
    const { settings, stderr } = await settingsOf([]);
    expect(settings).toEqual({
      model: expect.stringMatching(/blip2-opt-shapes$/),
      matchModel: expect.stringMatching(/blip2-itm-shapes$/),
      load: { localFilesOnly: false },
      roots: ['.'],
      allowImageUrls: false,
    });
    expect(stderr).toContain('demo checkpoint');
    expect((await settingsOf(['--quiet'])).stderr).toBe('');
  });

  test('serves the models that are named, and no others', async () => {
    const { settings, stderr } = await settingsOf(['org/name', '--dtype', 'int8', '--threads', '2', '--offline']);
    expect(settings).toEqual({
      model: 'org/name',
      load: { dtype: 'int8', threads: 2, localFilesOnly: true },
      roots: ['.'],
      allowImageUrls: false,
    });
    expect(stderr).toBe('');
    const other = await settingsOf(['--match-model', 'itm', '--root', 'a', '--root', 'b', '--allow-image-urls']);
    expect(other.settings).toMatchObject({ matchModel: 'itm', roots: ['a', 'b'], allowImageUrls: true });
    expect(other.settings).not.toHaveProperty('model');
  });

  test.each([
    [['--rooot', 'x'], /^UNKNOWN_OPTION: .*--root/],
    [['a', 'b'], /^INVALID_ARGUMENT/],
  ])('rejects %j', async (argv, message) => {
    const { exitCode, stdout, stderr } = await runFake(['mcp', ...argv]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
