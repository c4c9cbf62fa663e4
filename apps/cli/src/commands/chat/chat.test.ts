import { PassThrough, Readable } from 'node:stream';

import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { stdinWith } from '../../fixtures/fake-streams.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

describe('blip2 chat', () => {
  test('answers one question per line of stdin; without a terminal there is no prompt', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { exitCode, stdout, stderr, calls } = await runFake(['chat', at('a'), '--quiet'], {
      stdin: stdinWith('what?\n\n  where', ' now?\r\n'),
    });
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: 'a cat, what?\na cat, where now?\n',
      stderr: '',
    });
    expect(calls.filter(({ name }) => name === 'dispose').map(({ what }) => what)).toEqual(['chat', undefined]);
  });

  test('refuses a line without an end instead of reading it into memory', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    let read = 0;
    const stdin = Readable.from(
      (function* () {
        yield 'what?\n';
        for (; read < 100; read++) yield Buffer.alloc(64 * 1024, 'x');
      })(),
      { objectMode: false },
    );
    const { exitCode, stdout, stderr } = await runFake(['chat', at('a'), '--quiet'], { stdin });
    expect([exitCode, stdout]).toEqual([2, 'a cat, what?\n']);
    expect(stderr).toMatch(/^INVALID_ARGUMENT: A line of stdin must be at most 262144 bytes/);
    expect(read).toBeLessThan(10);
  });

  test('streams the pieces of an answer', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const stdin = new PassThrough();
    const pieces: unknown[] = [];
    const { stdout } = await runFake(['chat', at('a')], {
      stdin,
      onStart: () => void stdin.write('what?\n'),
      onCall: ({ name, piece }) => {
        if (name !== 'chat') return;
        pieces.push(piece);
        if (piece === ' what?') stdin.end();
      },
    });
    expect(pieces).toEqual([undefined, 'a', ' cat,', ' what?']);
    expect(stdout).toBe('a cat, what?\n');
  });

  test('--json has the keys of ask', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { stdout } = await runFake(['chat', '--json', at('a')], { stdin: stdinWith('what?\nwhere?') });
    const [first, second] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(Object.keys(first ?? {})).toEqual(['image', 'question', 'text', 'tokenIds', 'score', 'timings']);
    expect([first?.['image'], first?.['text'], second?.['question']]).toEqual([at('a'), 'a cat, what?', 'where?']);
  });

  test('shows a prompt on stderr if stdin is a terminal', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { stdout, stderr } = await runFake(['chat', at('a'), '--quiet'], {
      stdin: Object.assign(stdinWith('what?\n'), { isTTY: true }),
    });
    expect([stdout, stderr]).toEqual(['a cat, what?\n', '> > \n']);
  });

  test('Ctrl-C stops an answer; with no answer in progress it ends the conversation', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const stdin = new PassThrough();
    let asked = 0;
    const { exitCode, stdout, stderr } = await runFake(['chat', at('a'), '--quiet'], {
      stdin,
      onStart: () => void stdin.write('what is it?\nwhere?\n'),
      onCall: ({ piece }, signals) => {
        if (piece === ' cat,' && ++asked === 1) signals.emit('SIGINT');
        // By then, no answer is in progress.
        if (piece === ' where?') setTimeout(() => signals.emit('SIGINT'), 100);
      },
    });
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 130,
      stdout: 'a cat,\na cat, where?\n',
      stderr: '(stopped)\n',
    });
  });

  test('a second Ctrl-C ends the process if an answer does not stop', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { calls } = await runFake(['chat', at('a')], {
      stdin: stdinWith('what?\n'),
      onCall: ({ piece }, signals) => {
        if (piece === ' cat,') {
          signals.emit('SIGINT');
          signals.emit('SIGINT');
        }
      },
    });
    expect(calls.map(({ name }) => name)).toContain('exit');
  });

  test('--json has the text of a stopped answer', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { stdout } = await runFake(['chat', '--json', at('a')], {
      stdin: stdinWith('what?\n'),
      onCall: ({ piece }, signals) => void (piece === ' cat,' && signals.emit('SIGINT')),
    });
    expect(JSON.parse(stdout)).toMatchObject({ text: 'a cat,' });
  });

  test('reports a question that is too long, continues with the next, and ends with exit code 3', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { exitCode, stdout, stderr } = await runFake(['chat', at('a')], { stdin: stdinWith('long?\nwhat?\n') });
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 3,
      stdout: 'a cat, what?\n',
      stderr: expect.stringMatching(
        /\nSEQUENCE_TOO_LONG: Too long\. Clear it\n\(\/clear starts a new conversation\)\n$/,
      ),
    });
    const json = await runFake(['chat', '--json', '--quiet', at('a')], { stdin: stdinWith('long?\nwhat?\n') });
    const [first, second] = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(first).toEqual({
      image: at('a'),
      question: 'long?',
      error: { code: 'SEQUENCE_TOO_LONG', message: 'Too long. Clear it' },
    });
    expect([second, json.stderr, json.exitCode]).toMatchObject([
      { text: 'a cat, what?' },
      'SEQUENCE_TOO_LONG: Too long. Clear it\n',
      3,
    ]);
  });

  test('/clear deletes the history and is not a question', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    // The fake allows nine pieces, three per answer.
    const lines = ['1', '2', '3', '4', ' /clear', '5', '/clear?'];
    const { exitCode, stdout, calls } = await runFake(['chat', at('a'), '--quiet'], {
      stdin: stdinWith(lines.join('\n')),
    });
    expect([exitCode, stdout]).toEqual([3, 'a cat, 1\na cat, 2\na cat, 3\na cat, 5\na cat, /clear?\n']);
    expect(calls.filter(({ name, question }) => name === 'chat' && question === '/clear')).toEqual([]);
  });

  test('passes generation options to the model', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { calls } = await runFake(['chat', at('a'), '--max-new-tokens', '5'], { stdin: stdinWith('') });
    expect(calls[1]).toMatchObject({ name: 'chat', image: 'a cat', generation: { maxNewTokens: 5 } });
  });

  test('needs one image that can be read', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'b', bad: 'bad' });
    for (const argv of [['-'], [at('[ab]')]])
      expect((await runFake(['chat', ...argv], { stdin: stdinWith('') })).exitCode).toBe(2);
    expect(await runFake(['chat', at('bad')], { stdin: stdinWith('') })).toMatchObject({ exitCode: 1, calls: [] });
    expect(await runFake(['chat', at('nothing')], { stdin: stdinWith('') })).toMatchObject({ exitCode: 1, calls: [] });
  });
});
