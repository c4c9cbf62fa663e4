import { describe, expect, test } from 'vitest';

import { type FakeOptions, runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const terminal: FakeOptions = { stdoutIsTerminal: true };

describe('a terminal', () => {
  test('gets the caption of one image piece by piece, with the bytes of the whole line', async () => {
    const at = await temporaryFolder({ 'a\tb.png': 'a cat\non a mat' });
    const argv = ['caption', at('a\tb.png'), '-p', 'there is', '--max-new-tokens', '7', '--quiet'];
    const [live, piped] = [await runFake(argv, terminal), await runFake(argv)];
    expect(live.written).toEqual([`${at('a\\tb.png')}\ta`, ' cat\\non', ' a', ' mat', '\n']);
    expect({ exitCode: live.exitCode, stdout: live.stdout, stderr: live.stderr }).toEqual({
      exitCode: 0,
      stdout: piped.stdout,
      stderr: '',
    });
    expect(piped.written).toHaveLength(1);
    expect(live.calls.find(({ name }) => name === 'stream')).toMatchObject({
      generation: { maxNewTokens: 7 },
      prompt: 'there is',
    });
    expect(live.calls.map(({ name }) => name)).not.toContain('caption');
  });

  test('gets the answer to one question piece by piece, after its question', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat' });
    const argv = ['ask', at('a.png'), '-q', 'is it?', '--raw-prompt', '--quiet'];
    const [live, piped] = [await runFake(argv, terminal), await runFake(argv)];
    expect(live.written).toEqual([`${at('a.png')}\tis it?\ta`, ' cat,', ' is', ' it?', '\n']);
    expect(live.stdout).toBe(piped.stdout);
    expect(live.calls.find(({ name }) => name === 'stream')).toMatchObject({ question: 'is it?', rawPrompt: true });
  });

  test.each([
    ['several images', ['caption', 'a.png', 'b.png']],
    ['several questions', ['ask', 'a.png', '-q', 'who?', '-q', 'where?']],
    ['JSON lines', ['caption', 'a.png', '--json']],
    ['a file', ['caption', 'a.png', '-o', 'out.txt']],
    ['a report', ['caption', 'a.png', '--report', 'out.html']],
    ['a file next to the image', ['caption', 'a.png', '--sidecar']],
    ['another task', ['rank', 'a.png', '-q', 'who?', '-c', 'x']],
  ])('is written whole lines where there are %s', async (_what, argv) => {
    const at = await temporaryFolder({ 'a.png': 'a cat', 'b.png': 'a dog' });
    const run = await runFake(
      argv.map((word) => (/\.\w+$/.test(word) ? at(word) : word)),
      terminal,
    );
    expect([run.exitCode, run.calls.some(({ name }) => name === 'stream')]).toEqual([0, false]);
    expect(run.written.every((text) => text.endsWith('\n'))).toBe(true);
  });

  test('ends the line of an interrupted text', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat on a mat' });
    const run = await runFake(['caption', at('a.png'), '--quiet'], {
      ...terminal,
      onCall: ({ piece }, signals) => void (piece === ' cat' && signals.emit('SIGINT')),
    });
    expect([run.exitCode, run.stdout, run.calls.at(-1)]).toEqual([130, `${at('a.png')}\ta cat\n`, { name: 'dispose' }]);
  });

  test('gets nothing before the first piece: an image that cannot be opened, a model that fails', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat', 'bad.png': 'bad' });
    expect(await runFake(['caption', at('bad.png')], terminal)).toMatchObject({
      exitCode: 3,
      stdout: '',
      stderr: expect.stringContaining('INVALID_IMAGE'),
    });
    const failing = await runFake(['caption', at('a.png')], {
      ...terminal,
      onCall: ({ name }) => {
        if (name === 'stream') throw new RangeError('too far');
      },
    });
    expect(failing).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('too far') });
  });

  test('gets the path of an image with an empty caption', async () => {
    const at = await temporaryFolder({ 'a.png': ' ' });
    expect((await runFake(['caption', at('a.png'), '--quiet'], terminal)).stdout).toBe(
      (await runFake(['caption', at('a.png'), '--quiet'])).stdout,
    );
  });
});
