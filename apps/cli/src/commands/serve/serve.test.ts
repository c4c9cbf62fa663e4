import { setTimeout as wait } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';

/** Runs `blip2 serve` until SIGTERM. */
const serveUntilTerm = (argv: readonly string[], variables: Record<string, string> = {}) =>
  runFake(['serve', ...argv], {
    variables,
    onStart: (signals) =>
      void wait(0).then(async function send(): Promise<void> {
        if (!signals.emit('SIGTERM')) await wait(1).then(send);
      }),
  });

describe('blip2 serve', () => {
  test('serves both demo checkpoints on this machine, prints its address, and ends with 0 on SIGTERM', async () => {
    const { exitCode, stdout, stderr, calls } = await serveUntilTerm([]);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'Serving blip2-opt-shapes at http://127.0.0.1:8080\n',
    });
    expect(stderr).toContain('demo checkpoint');
    expect(calls).toEqual([
      {
        name: 'serve',
        what: '{"models":["blip2-opt-shapes","blip2-itm-shapes"],"host":"127.0.0.1","port":8080}',
      },
      { name: 'close' },
    ]);
  });

  test('names models after their folder, hub id or option', async () => {
    const { calls } = await serveUntilTerm([
      './some/folder/',
      '--model',
      'itm=x/y',
      '--model',
      'org/name',
      '--port',
      '0',
    ]);
    expect(calls[0]?.['what']).toBe('{"models":["folder","itm","org/name"],"host":"127.0.0.1","port":0}');
  });

  test.each([
    [['--port', '65536'], /^INVALID_ARGUMENT: .*65535/],
    [['--max-queue', '-1'], /^INVALID_ARGUMENT/],
    [['--model', 'a=x', '--model', 'a=y'], /^INVALID_ARGUMENT: --model must be .* different names, got "a"/],
    [['--model', '=x'], /^INVALID_ARGUMENT: --model must be NAME=MODEL/],
    [['--modle', 'x'], /^UNKNOWN_OPTION: .*--model/],
    [['a', 'b'], /^INVALID_ARGUMENT/],
  ])('rejects %j', async (argv, message) => {
    const { exitCode, stdout, stderr } = await runFake(['serve', ...argv]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
