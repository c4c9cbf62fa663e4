import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';

describe('blip2 completion', () => {
  test.each([
    ['bash', /^complete -F _blip2 blip2$/m],
    ['zsh', /^#compdef blip2\n/],
    ['fish', /^complete -c blip2 -f$/m],
  ])('prints a script for %s and loads no model', async (shell, mark) => {
    const { exitCode, stdout, stderr, calls } = await runFake(['completion', shell]);
    expect({ exitCode, stderr, calls }).toEqual({ exitCode: 0, stderr: '', calls: [] });
    expect(stdout).toMatch(mark);
    expect(stdout).toContain('max-new-tokens');
  });

  test.each([
    [['completion', 'tcsh'], /^INVALID_ARGUMENT: .*'tcsh' is invalid.*bash, zsh, fish/],
    [['completion'], /^INVALID_ARGUMENT: Missing required argument 'shell'/],
  ])('rejects %j', async (argv, message) => {
    const { exitCode, stdout, stderr } = await runFake(argv);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
