import { PassThrough } from 'node:stream';

import { Blip2Error, type ErrorDetails } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import type { FakeCall } from '../../fixtures/fake-models.ts';
import { stdinWith } from '../../fixtures/fake-streams.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { demoModelFolder } from '../../model/demo-model.ts';

describe('output', () => {
  test('writes path, tab, caption to stdout, and everything else to stderr', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat' });
    const { exitCode, stdout, stderr } = await runFake(['caption', at('a.png')]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`${at('a.png')}\ta cat\n`);
    expect(stderr).toContain('demo checkpoint');
  });

  test('--json has exactly the keys image, text, tokenIds, score, timings', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat' });
    const { stdout } = await runFake(['caption', '--json', at('a.png')]);
    expect(stdout.endsWith('}\n')).toBe(true);
    expect(Object.entries(JSON.parse(stdout))).toEqual([
      ['image', at('a.png')],
      ['text', 'a cat'],
      ['tokenIds', [5, 2]],
      ['score', -0.5],
      ['timings', { preprocess: 1, encode: 2, generate: 3 }],
    ]);
  });

  test('writes one line with two columns for any name and caption', async () => {
    const at = await temporaryFolder({ 'snow ☃ and\ttab.png': 'two\nlines\u001b[31m' });
    const { stdout } = await runFake(['caption', at('snow ☃ and\ttab.png')]);
    expect(stdout).toBe(`${at('snow ☃ and\\ttab.png')}\ttwo\\nlines\\x1b[31m\n`);
  });

  test('processes the images in order, in batches', async () => {
    const at = await temporaryFolder({ '1': 'one', '2': 'two', '3': 'three' });
    const { stdout, calls } = await runFake(['caption', at('3'), at('1'), at('2'), '--batch-size', '2']);
    expect(stdout.split('\n').map((line) => line.split('\t')[1])).toEqual(['three', 'one', 'two', undefined]);
    expect(calls.filter(({ name }) => name === 'caption').map(({ images }) => images)).toEqual([
      ['three', 'one'],
      ['two'],
    ]);
  });

  test('reads an image from stdin', async () => {
    const { stdout } = await runFake(['caption', '-'], { stdin: stdinWith('a d', 'og') });
    expect(stdout).toBe('-\ta dog\n');
  });

  test('rejects a stdin that is a terminal instead of waiting', async () => {
    const { exitCode, stderr } = await runFake(['caption', '-'], {
      stdin: Object.assign(stdinWith(), { isTTY: true }),
    });
    expect(exitCode).toBe(3);
    expect(stderr).toContain('INVALID_ARGUMENT: - reads an image from stdin, which is a terminal');
  });
});

describe('the model', () => {
  test('defaults to the demo, which a notice explains', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat' });
    const demo = await runFake(['caption', at('a.png')]);
    expect(demo.calls[0]).toMatchObject({ name: 'load', source: demoModelFolder, settings: { localFilesOnly: false } });
    expect(demo.calls[0]?.['settings']).not.toHaveProperty('repeated');
    const several = await runFake(['caption', at('a.png'), at('a.png')]);
    expect(several.calls[0]).toMatchObject({ settings: { repeated: true } });
    expect(demo.stderr).toMatch(/demo checkpoint, which only knows drawn shapes.*--model path\/to\/folder/);
    const named = await runFake(['caption', at('a.png'), '-m', demoModelFolder]);
    expect(named.stderr).toContain('only knows drawn shapes');
    const other = await runFake(['caption', at('a.png'), '-m', at()]);
    expect(other.stderr).toBe('');
    const quiet = await runFake(['caption', at('a.png'), '--quiet']);
    expect(quiet.stderr).toBe('');
  });

  test('gets the options of loading and of generation', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat' });
    const flags = [
      '--dtype',
      'fp32',
      '--device',
      'cpu',
      '--threads',
      '3',
      '--offline',
      '--max-new-tokens',
      '7',
      '--do-sample',
      '--seed',
      '1',
      '--stop-strings',
      'a',
      '--stop-strings',
      'b',
      '-p',
      'a photo of',
    ];
    const { calls } = await runFake(['caption', at('a.png'), ...flags]);
    expect(calls[0]).toMatchObject({ settings: { dtype: 'fp32', device: 'cpu', threads: 3, localFilesOnly: true } });
    expect(calls[1]).toMatchObject({
      generation: { maxNewTokens: 7, doSample: true, seed: 1, stopStrings: ['a', 'b'] },
      prompt: 'a photo of',
    });
    expect(calls[2]).toMatchObject({ name: 'dispose' });
  });

  test('that cannot be loaded ends the command with code 1 and one line; --verbose adds stack and causes', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat' });
    const onCall = (): void => {
      throw new Blip2Error('MISSING_FILE', 'No config.json', {
        where: '/models/x',
        cause: new TypeError('inner reason'),
      });
    };
    const plain = await runFake(['caption', at('a.png'), '-m', '/models/x'], { onCall });
    expect(plain).toMatchObject({ exitCode: 1, stdout: '', stderr: 'MISSING_FILE: No config.json (/models/x)\n' });
    const verbose = await runFake(['caption', at('a.png'), '-m', '/models/x', '--verbose'], { onCall });
    expect(verbose.stderr).toMatch(
      /^MISSING_FILE: No config\.json \(\/models\/x\)\n.*\n +at .*caused by TypeError: inner reason\n/s,
    );
  });
});

describe('an unsupported precision', () => {
  test('is bad usage as an option, and a failure in a file', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat' });
    const failing = (details: ErrorDetails): Parameters<typeof runFake>[1] => ({
      onCall: () => {
        throw new Blip2Error('UNSUPPORTED_DTYPE', 'dtype must be one of those offered', details);
      },
    });
    expect((await runFake(['caption', at('a.png'), '--dtype', 'fp16'], failing({ argument: 'dtype' }))).exitCode).toBe(
      2,
    );
    expect((await runFake(['caption', at('a.png')], failing({ where: 'model.safetensors' }))).exitCode).toBe(1);
  });
});

describe('a model that fails, also on disposal', () => {
  test('is reported with its first error', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat' });
    const onCall = ({ name }: FakeCall): void => {
      if (name === 'caption') throw new Blip2Error('SESSION_FAILED', 'first');
      if (name === 'dispose') throw new Blip2Error('WORKER_FAILED', 'second');
    };
    expect(await runFake(['caption', '--quiet', at('a.png')], { onCall })).toMatchObject({
      exitCode: 1,
      stderr: 'SESSION_FAILED: first\n',
    });
  });
});

describe('images that fail', () => {
  test('are reported on stderr and skipped; the command ends with their number and exit code 3', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat', 'b.png': 'bad', 'c.png': '', 'd.png': 'a dog' });
    const { exitCode, stdout, stderr } = await runFake([
      'caption',
      '--quiet',
      ...['a.png', 'b.png', 'missing.png', 'c.png', 'd.png'].map(at),
    ]);
    expect(exitCode).toBe(3);
    expect(stdout).toBe(`${at('a.png')}\ta cat\n${at('d.png')}\ta dog\n`);
    expect(stderr.split('\n')).toEqual([
      `${at('b.png')}: INVALID_IMAGE: This is not an image (${at('b.png')})`,
      `${at('missing.png')}: MISSING_FILE: The image does not exist (${at('missing.png')})`,
      `${at('c.png')}: INVALID_IMAGE: This is not an image (${at('c.png')})`,
      '3 of 5 images failed.',
      '',
    ]);
  });

  test('have a line of JSON, in the order of the images', async () => {
    const at = await temporaryFolder({ 'a.png': 'a cat', 'b.png': 'bad', 'c.png': 'a dog' });
    const { exitCode, stdout } = await runFake(['caption', '--json', at('a.png'), at('b.png'), at('c.png')]);
    expect(exitCode).toBe(3);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ image }) => image)).toEqual([at('a.png'), at('b.png'), at('c.png')]);
    expect(lines[1]).toEqual({
      image: at('b.png'),
      error: { code: 'INVALID_IMAGE', message: `This is not an image (${at('b.png')})` },
    });
  });
});

describe('pipes, terminals, interrupts', () => {
  test('ends silently with 0 when the reader closes the pipe, and disposes of the model', async () => {
    const at = await temporaryFolder({ '1': 'one', '2': 'two', '3': 'three' });
    const { exitCode, stderr, calls } = await runFake(
      ['caption', '--quiet', at('1'), at('2'), at('3'), '--batch-size', '1'],
      { closeStdoutAfter: 1 },
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(calls.map(({ name }) => name)).toEqual(['load', 'caption', 'caption', 'dispose']);
  });

  test('shows progress only on a terminal, not in CI, not with --no-progress or --quiet', async () => {
    const at = await temporaryFolder({ '1': 'one', '2': 'two' });
    const images = [at('1'), at('2')];
    const shown = await runFake(['caption', ...images], { stderrIsTerminal: true });
    expect(shown.stderr).toContain('2/2 images');
    const cases = [
      await runFake(['caption', ...images]),
      await runFake(['caption', ...images], { stderrIsTerminal: true, variables: { CI: '1' } }),
      await runFake(['caption', ...images, '--no-progress'], { stderrIsTerminal: true }),
      await runFake(['caption', ...images, '--quiet'], { stderrIsTerminal: true }),
    ];
    for (const { stderr } of cases) expect(stderr).not.toMatch(/\d images|images,/);
  });

  test('stops at the first interrupt, keeps finished results and ends with 130', async () => {
    const at = await temporaryFolder({ '1': 'one', '2': 'two', '3': 'three' });
    let answered = 0;
    const { exitCode, stdout, stderr, calls } = await runFake(
      ['caption', at('1'), at('2'), at('3'), '--batch-size', '1'],
      {
        onCall: ({ name }, signals) => void (name === 'caption' && ++answered === 2 && signals.emit('SIGINT')),
      },
    );
    expect(exitCode).toBe(130);
    expect(stdout).toBe(`${at('1')}\tone\n`);
    expect(stderr).toContain('Interrupted: 1 of 3 images done.');
    expect(calls.map(({ name }) => name)).toEqual(['load', 'caption', 'caption', 'dispose']);
  });

  test.each(['-', '@-'])('an interrupt stops waiting for a stdin that never ends: %s', async (argument) => {
    const stdin = new PassThrough();
    const { exitCode, stdout } = await runFake(['caption', argument], {
      stdin,
      onStart: (signals) => void setTimeout(() => signals.emit('SIGINT'), 50),
    });
    expect({ exitCode, stdout, open: !stdin.destroyed }).toEqual({ exitCode: 130, stdout: '', open: false });
  });

  test('closes stdin when the model cannot be loaded', async () => {
    const stdin = new PassThrough();
    const { exitCode } = await runFake(['caption', '-'], {
      stdin,
      onCall: () => {
        throw new Blip2Error('MISSING_FILE', 'No config.json');
      },
    });
    expect({ exitCode, open: !stdin.destroyed }).toEqual({ exitCode: 1, open: false });
  });

  test('ends the process at the second interrupt', async () => {
    const at = await temporaryFolder({ '1': 'one' });
    const { calls } = await runFake(['caption', at('1')], {
      onCall: ({ name }, signals) => void (name === 'caption' && [1, 2].forEach(() => signals.emit('SIGINT'))),
    });
    expect(calls).toContainEqual({ name: 'exit' });
  });
});
