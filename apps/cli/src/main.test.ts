import { describe, expect, test } from 'vitest';

import { runFake } from './fixtures/fake-environment.ts';

describe('help and versions', () => {
  test('prints the commands, their descriptions and the exit codes on stdout', async () => {
    const { exitCode, stdout, stderr } = await runFake(['--help']);
    expect(exitCode).toBe(0);
    expect(stderr).toBe('');
    for (const part of [
      'caption',
      'ask',
      'inspect',
      'path<TAB>caption',
      'Exit codes: 0 all done, 1 failed, 2 bad usage, 3 some inputs failed, 130 interrupted',
      '(143 by SIGTERM, 129 by SIGHUP).',
    ])
      expect(stdout).toContain(part);
  });

  test.each(['caption', 'ask', 'inspect'])('prints options and examples of %s', async (command) => {
    const { exitCode, stdout } = await runFake([command, '--help']);
    expect(exitCode).toBe(0);
    for (const part of [
      'Examples:',
      `blip2 ${command}`,
      '--json',
      '--output <file>',
      '--verbose',
      '--quiet',
      'Exit codes:',
    ])
      expect(stdout).toContain(part);
  });

  test('lists every common and every generation option of caption', async () => {
    const { stdout } = await runFake(['caption', '--help']);
    for (const flag of [
      '-m, --model',
      '--dtype',
      '--device',
      '--threads',
      '--batch-size',
      '--offline',
      '--seed',
      '--max-new-tokens',
      '--num-beams',
      '--do-sample',
      '-r, --recursive',
      '--restart',
      '--no-progress',
    ])
      expect(stdout).toContain(flag);
    expect(stdout).not.toContain('--signal');
    expect(stdout).not.toContain('--streamer');
  });

  test('prints the versions of blip2 and of Node', async () => {
    const { exitCode, stdout } = await runFake(['--version']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^blip2 \d+\.\d+\.\d+\S* \(node v\d+/);
  });

  test.each(['caption', 'ask', 'match'])(
    'wraps the options of %s at 80 columns if the width is unknown',
    async (command) => {
      const { stdout } = await runFake([command, '--help']);
      const options = stdout.slice(stdout.indexOf('Options:'), stdout.indexOf('Examples:'));
      expect(options).toContain('--batch-size');
      expect(options.split('\n').filter((line) => line.length > 80)).toEqual([]);
    },
  );

  test('without arguments, prints the help on stderr and ends with exit code 2', async () => {
    const { exitCode, stdout, stderr } = await runFake([]);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('Usage: blip2');
  });
});

describe('bad usage: one line with a code, exit code 2, no model loaded', () => {
  test.each([
    [['captoin', 'x.png'], "INVALID_ARGUMENT: Unknown command 'captoin'. Did you mean caption?"],
    [
      ['caption', 'x.png', '--max-new-token', '3'],
      "UNKNOWN_OPTION: Unknown option '--max-new-token'. Did you mean --max-new-tokens?",
    ],
    [
      ['caption', 'x.png', '--maxNewTokens=3'],
      "UNKNOWN_OPTION: Unknown option '--maxNewTokens=3'. Did you mean --max-new-tokens?",
    ],
    [['caption', 'x.png', '--jsno'], "UNKNOWN_OPTION: Unknown option '--jsno'. Did you mean --json?"],
    [
      ['caption', 'x.png', '--frobnicate-everything'],
      "UNKNOWN_OPTION: Unknown option '--frobnicate-everything'. See `blip2 caption --help`",
    ],
    [['caption'], "INVALID_ARGUMENT: Missing required argument 'image'. See `blip2 caption --help`"],
    [
      ['ask', 'x.png'],
      "INVALID_ARGUMENT: Required option '-q, --question <text>' not specified. See `blip2 ask --help`",
    ],
    [
      ['caption', 'x.png', '--threads', 'many'],
      "INVALID_ARGUMENT: Option '--threads <n>' argument 'many' is invalid. Expected a whole number of at least 1, " +
        'or a list such as encoder=4,prompt=4,decode=2. See `blip2 caption --help`',
    ],
    [
      ['caption', 'x.png', '--max-new-tokens', '0'],
      "INVALID_ARGUMENT: Option '--max-new-tokens <n>' argument '0' is invalid. Expected at least 1. " +
        'See `blip2 caption --help`',
    ],
    [
      ['caption', 'x.png', '--top-p', '1.5'],
      "INVALID_ARGUMENT: Option '--top-p <number>' argument '1.5' is invalid. Expected at most 1. " +
        'See `blip2 caption --help`',
    ],
    [
      ['ask', 'x.png', '-q', '  '],
      'INVALID_ARGUMENT: --question must be a non-empty text, got "  ". To describe an image use `blip2 caption`',
    ],
  ])('%j', async (argv, message) => {
    const { exitCode, stdout, stderr, calls } = await runFake(argv);
    expect({ exitCode, stdout, stderr, calls }).toEqual({ exitCode: 2, stdout: '', stderr: `${message}\n`, calls: [] });
  });
});
