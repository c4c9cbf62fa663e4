import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';

import { type FakeRun, runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { replacedFile } from './replaced-file.ts';

const captioned = ({ calls }: FakeRun): unknown[] =>
  calls.filter(({ name }) => name === 'caption').flatMap(({ images }) => images);

async function twoOfThree(): Promise<{ at: (name?: string) => string; argv: string[] }> {
  const at = await temporaryFolder({ '1': 'one', '2': 'two', '3': 'three' });
  const argv = ['caption', '-o', at('out.jsonl'), '--batch-size', '1', at('1'), at('2'), at('3')];
  let answered = 0;
  const run = await runFake(argv, {
    onCall: ({ name }, signals) => void (name === 'caption' && ++answered === 3 && signals.emit('SIGINT')),
  });
  expect(run.exitCode).toBe(130);
  return { at, argv };
}
const textsIn = async (file: string): Promise<unknown[]> =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).text);

describe('-o FILE.jsonl', () => {
  test('holds JSON lines, leaves stdout empty, and has the record of the run next to it', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { stdout } = await runFake(['caption', '-o', at('out.jsonl'), at('a'), '--max-new-tokens', '9']);
    expect(stdout).toBe('');
    expect(JSON.parse(await readFile(at('out.jsonl'), 'utf8'))).toMatchObject({ image: at('a'), text: 'a cat' });
    expect(JSON.parse(await readFile(at('out.jsonl.run.json'), 'utf8'))).toMatchObject({
      command: 'caption',
      model: expect.stringContaining('blip2-opt-shapes'),
      options: { maxNewTokens: 9 },
    });
  });

  test('resumes where an interrupted run stopped', async () => {
    const { at, argv } = await twoOfThree();
    expect(await textsIn(at('out.jsonl'))).toEqual(['one', 'two']);
    const again = await runFake(argv);
    expect(again.exitCode).toBe(0);
    expect(captioned(again)).toEqual(['three']);
    expect(await textsIn(at('out.jsonl'))).toEqual(['one', 'two', 'three']);
  });

  test('loads no model if everything is done', async () => {
    const { argv } = await twoOfThree();
    expect((await runFake(argv)).stderr).toContain('2 of 3 images were done before.\n');
    expect(await runFake(argv)).toMatchObject({ exitCode: 0, calls: [], stderr: '3 of 3 images were done before.\n' });
  });

  test.each(['{"image":"torn', '{"image":"whole but without its end"}'])(
    'drops an incomplete last line: %s',
    async (torn) => {
      const { at, argv } = await twoOfThree();
      await appendFile(at('out.jsonl'), torn);
      await runFake(argv);
      expect(await textsIn(at('out.jsonl'))).toEqual(['one', 'two', 'three']);
    },
  );

  test('retries failed images and drops their old lines', async () => {
    const at = await temporaryFolder({ a: 'bad', b: 'a dog' });
    const argv = ['caption', '-o', at('out.jsonl'), at('a'), at('b')];
    expect((await runFake(argv)).exitCode).toBe(3);
    expect(await textsIn(at('out.jsonl'))).toEqual([undefined, 'a dog']);
    await writeFile(at('a'), 'a cat');
    expect((await runFake(argv)).exitCode).toBe(0);
    expect(await textsIn(at('out.jsonl'))).toEqual(['a dog', 'a cat']);
  });

  test('does not resume with other options, another model or another command, and lists the differences', async () => {
    const { at, argv } = await twoOfThree();
    const before = await readFile(at('out.jsonl'), 'utf8');
    const others: [string[], string][] = [
      [[...argv, '--max-new-tokens', '5'], 'options.maxNewTokens was not given, is 5'],
      [[...argv, '-m', at()], `model was`],
      [['ask', ...argv.slice(1), '-q', 'what?'], 'command was "caption", is "ask"'],
    ];
    for (const [other, difference] of others) {
      const run = await runFake(other);
      expect(run).toMatchObject({ exitCode: 2, stdout: '', calls: [] });
      expect(run.stderr).toMatch(/^INVALID_ARGUMENT: The output file holds the results of another run/);
      expect(run.stderr).toContain(difference);
      expect(run.stderr).toContain('--restart');
    }
    expect(await readFile(at('out.jsonl'), 'utf8')).toBe(before);
  });

  test('allows another batch size', async () => {
    const { argv } = await twoOfThree();
    expect(captioned(await runFake([...argv, '--batch-size', '2']))).toEqual(['three']);
  });

  test('starts over with --restart, with any options', async () => {
    const { at, argv } = await twoOfThree();
    const again = await runFake([...argv, '--restart', '--seed', '4']);
    expect(captioned(again)).toEqual(['one', 'two', 'three']);
    expect(await textsIn(at('out.jsonl'))).toEqual(['one', 'two', 'three']);
    expect(JSON.parse(await readFile(at('out.jsonl.run.json'), 'utf8'))).toMatchObject({ options: { seed: 4 } });
  });

  test('resumes with names and texts that contain line separators', async () => {
    const files = { 'line\u2028separator': 'a\u2029b', 'carriage\rreturn': 'c\nd', 'tab\there "q" ü😀': '\u0085' };
    const at = await temporaryFolder(files);
    const argv = ['caption', ...Object.keys(files).map(at), '-o', at('out.jsonl')];
    expect((await runFake(argv)).exitCode).toBe(0);
    expect(await textsIn(at('out.jsonl'))).toEqual(Object.values(files));
    expect(await runFake(argv)).toMatchObject({ exitCode: 0, calls: [] });
  });

  test.each(['out.jsonl', 'out.csv'])(
    'has a line for each time that an image is named, with or without a stop: %s',
    async (name) => {
      const at = await temporaryFolder({ '1': 'one', '2': 'two' });
      const images = [at('1'), at('2'), at('1'), at('1'), at('2')];
      const argv = ['caption', ...images, '-o', at(name), '--batch-size', '1'];
      const linesNow = async (): Promise<number> => (await readFile(at(name), 'utf8')).trimEnd().split('\n').length;
      const header = name === 'out.csv' ? 1 : 0;
      for (const stop of [2, 4, undefined]) {
        let answered = stop === 4 ? 1 : 0;
        await runFake(argv, {
          onCall: (call, signals) => void (call.name === 'caption' && ++answered === stop && signals.emit('SIGINT')),
        });
        expect((await linesNow()) - header).toBe(stop === 2 ? 1 : stop === 4 ? 3 : 5);
      }
      expect(await runFake(argv)).toMatchObject({ exitCode: 0, calls: [] });
    },
  );

  test('is resumed after an editor put a byte order mark before it', async () => {
    const at = await temporaryFolder({ '1': 'one', '2': 'two' });
    for (const name of ['out.jsonl', 'out.csv']) {
      await runFake(['caption', at('1'), '-o', at(name)]);
      const before = await readFile(at(name), 'utf8');
      await writeFile(at(name), `\uFEFF${before}`);
      const run = await runFake(['caption', at('1'), at('2'), '-o', at(name)]);
      expect([run.exitCode, captioned(run)]).toEqual([0, ['two']]);
      expect(await runFake(['caption', at('1'), at('2'), '-o', at(name)])).toMatchObject({ exitCode: 0, calls: [] });
    }
  });

  test('does not change a file that it did not write', async () => {
    const at = await temporaryFolder({ a: 'a cat', 'mine.jsonl': '{"image":"a"}\n' });
    const { exitCode, stderr } = await runFake(['caption', at('a'), '-o', at('mine.jsonl')]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('was not written by a run that can be resumed');
    expect(await readFile(at('mine.jsonl'), 'utf8')).toBe('{"image":"a"}\n');
  });
});

describe('replacedFile', () => {
  test('can be closed again during clean-up', async () => {
    const at = await temporaryFolder();
    const file = replacedFile(at('out'));
    await file.write('whole');
    await file.close('finished');
    await file.close('failed');
    expect([await readdir(at()), await readFile(at('out'), 'utf8')]).toEqual([['out'], 'whole']);
  });
});

describe('-o with another extension', () => {
  test('is written completely, without other files', async () => {
    const at = await temporaryFolder({ a: 'a cat', 'out.tsv': 'old' });
    const { exitCode, stdout } = await runFake(['caption', at('a'), '-o', at('out.tsv')]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(await readFile(at('out.tsv'), 'utf8')).toBe(`${at('a')}\ta cat\n`);
    expect(await readdir(at())).toEqual(['a', 'out.tsv']);
  });

  test('is unchanged if the run fails', async () => {
    const at = await temporaryFolder({ '1': 'one', '2': 'two', 'out.tsv': 'old' });
    let answered = 0;
    const { exitCode } = await runFake(['caption', at('1'), at('2'), '--batch-size', '1', '-o', at('out.tsv')], {
      onCall: ({ name }) => {
        if (name === 'caption' && ++answered === 2) throw new RangeError('out of luck');
      },
    });
    expect(exitCode).toBe(1);
    expect(await readFile(at('out.tsv'), 'utf8')).toBe('old');
    expect(await readdir(at())).toEqual(['1', '2', 'out.tsv']);
  });

  test('is not created if all images fail', async () => {
    const at = await temporaryFolder({ a: 'bad' });
    expect((await runFake(['caption', at('a'), '-o', at('out.tsv')])).exitCode).toBe(3);
    expect(await readdir(at())).toEqual(['a']);
  });

  test('is rejected before the model is loaded if it cannot be written or is an input', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    expect(await runFake(['caption', at('a'), '-o', at('no/such/folder/out.tsv')])).toMatchObject({
      exitCode: 1,
      calls: [],
      stderr: expect.stringMatching(/^WRITE_FAILED: /),
    });
    expect(await runFake(['caption', at('a'), '-o', at()])).toMatchObject({
      exitCode: 2,
      calls: [],
      stderr: expect.stringContaining('The output must be a file'),
    });
    expect(await runFake(['caption', at('a'), '-o', at('out.npy')])).toMatchObject({
      exitCode: 2,
      calls: [],
      stderr: expect.stringContaining('can only hold embeddings'),
    });
    expect(await runFake(['caption', at('a'), '-o', at('a')])).toMatchObject({
      exitCode: 2,
      calls: [],
      stderr: expect.stringContaining('The output is one of the inputs'),
    });
    expect(await readFile(at('a'), 'utf8')).toBe('a cat');
  });
});
