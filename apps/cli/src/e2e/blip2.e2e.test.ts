import { copyFile, cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { bash, executable, repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { demoModelFolder } from '../model/demo-model.ts';

async function whenWritten(file: string): Promise<void> {
  while ((await stat(file).catch(() => undefined))?.size === undefined) await setTimeout(5);
}

const example = (name: string): string => join(repository, 'examples', name);
const star = example('one-large-star.png');

/** Prints the URL of every module that is loaded. */
const MODULE = 'data:text/javascript,';
const LOADER = `import { writeSync } from "node:fs";
export async function load(url, context, next) {
  writeSync(2, url + String.fromCharCode(10));
  return next(url, context);
}`;
const REGISTER = `import { register } from 'node:module'; register('${MODULE}${encodeURIComponent(LOADER)}');`;
const PRINT_MODULES = MODULE + encodeURIComponent(REGISTER);

describe('starting', () => {
  test.each([['--help'], ['caption', '--help'], ['--version'], ['completion', 'bash'], ['caption', '--oops']])(
    '%s loads neither the runtime nor sharp nor the library',
    async (...argv) => {
      const { stderr } = await spawnBlip2(argv, { nodeOptions: ['--import', PRINT_MODULES] });
      const modules = stderr.split('\n').filter((line) => line.startsWith('file:'));
      expect(modules.some((url) => url.includes('/commander/'))).toBe(true);
      expect(
        modules.filter((url) => /onnxruntime|sharp|inversify|tokenizers|tinyglobby|libs\/(?!interfaces\/)/.test(url)),
      ).toEqual([]);
    },
  );

  test('explains what to do if it is not built', async () => {
    const at = await temporaryFolder({ 'package.json': '{"type":"module"}' });
    await mkdir(at('bin'));
    await copyFile(executable, at('bin/blip2.js'));
    const { exitCode, stdout, stderr } = await bash(`node '${at('bin/blip2.js')}' --help`);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/not built.*npm run prepare/);
  });
});

describe('captions', () => {
  test('are written to stdout; a notice about the demo to stderr', async () => {
    const { exitCode, stdout, stderr } = await spawnBlip2(['caption', star]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${star}\ta large yellow star\n` });
    expect(stderr).toMatch(/^Note: .*demo checkpoint, which only knows drawn shapes.*--model path\/to\/folder\.\n$/);
  });

  test('of files with unusual names, of a list, of a pattern and of stdin', async () => {
    const at = await temporaryFolder({ 'list.txt': 'snow ☃ und grün.png\n' });
    await copyFile(star, at('snow ☃ und grün.png'));
    await copyFile(star, at('[1] -q.png'));
    const odd = `${at('snow ☃ und grün.png')}\ta large yellow star\n`;
    const stdoutOf = async (...argv: string[]): Promise<string> => (await spawnBlip2(['caption', ...argv])).stdout;
    expect(await stdoutOf(at('[1] -q.png'), at('snow ☃ und grün.png'))).toBe(
      `${at('[1] -q.png')}\ta large yellow star\n${odd}`,
    );
    expect(await stdoutOf(`@${at('list.txt')}`, at('sn*.png'))).toBe(odd + odd);
    expect((await spawnBlip2(['caption', '-'], { stdin: await readFile(star) })).stdout).toBe(
      '-\ta large yellow star\n',
    );
  });
});

describe('a device', () => {
  test.each([
    ['cuda', /expected cpu\b.*ONNXRUNTIME_NODE_INSTALL/],
    ['abacus', /expected cpu\b.*Use device cpu/],
  ])(
    '%s is rejected as bad usage, with the supported ones and without the log of the runtime',
    async (device, words) => {
      const { exitCode, stdout, stderr } = await spawnBlip2(['caption', star, '--quiet', '--device', device]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toMatch(/^UNSUPPORTED_DEVICE: .*\n$/);
      expect(stderr).toMatch(words);
    },
  );
});

describe('a URL on the command line', () => {
  test('is fetched, but never from this machine or its network', async () => {
    const { exitCode, stdout, stderr } = await spawnBlip2(['caption', '--quiet', 'http://127.0.0.1:9/star.png']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
    expect(stderr).toMatch(
      /^http:\/\/127\.0\.0\.1:9\/star\.png: INVALID_ARGUMENT: The image URL leads to an address that is not public/,
    );
  });
});

describe('bad input: one line with a code for each, nothing on stdout, an exit code', () => {
  test('files that are not images', async () => {
    const at = await temporaryFolder({
      'empty.png': '',
      'text.png': 'no image at all',
      'drawing.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    });
    await copyFile(star, at('cut.png'));
    await truncate(at('cut.png'), 2000);
    const names = ['empty.png', 'text.png', 'drawing.svg', 'cut.png', 'missing.png'];
    const { exitCode, stdout, stderr } = await spawnBlip2(['caption', '--quiet', ...names.map(at)]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
    const reported = stderr.trimEnd().split('\n');
    expect(reported.pop()).toBe('5 of 5 images failed.');
    const codes = [
      'INVALID_IMAGE',
      'UNSUPPORTED_IMAGE|INVALID_IMAGE',
      'UNSUPPORTED_IMAGE',
      'INVALID_IMAGE',
      'MISSING_FILE',
    ];
    expect(reported).toEqual(
      names.map((name, index) => expect.stringMatching(new RegExp(`^.*/${name}: (${codes[index]}): .`))),
    );
  });

  const broken: [what: string, code: string, breakIt: (at: (name?: string) => string) => Promise<unknown>][] = [
    ['a truncated checkpoint', 'INVALID_CHECKPOINT', (at) => truncate(at('model.safetensors'), 1_000_000)],
    [
      'weights as .bin only',
      'MISSING_FILE',
      (at) => cp(at('model.safetensors'), at('pytorch_model.bin')).then(() => rm(at('model.safetensors'))),
    ],
    ['no tokenizer.json', '[A-Z]+_(FILE|TOKENIZER)', (at) => rm(at('tokenizer.json'))],
    [
      'an unknown model type',
      'UNSUPPORTED_ARCHITECTURE',
      async (at) =>
        writeFile(at('config.json'), (await readFile(at('config.json'), 'utf8')).replace('"blip-2"', '"llava"')),
    ],
    [
      'weights of other shapes',
      'SHAPE_MISMATCH',
      async (at) =>
        writeFile(
          at('config.json'),
          (await readFile(at('config.json'), 'utf8')).replace('"ffn_dim": 256', '"ffn_dim": 512'),
        ),
    ],
  ];
  test.each(broken)('%s', async (_what, code, breakIt) => {
    const at = await temporaryFolder();
    await cp(demoModelFolder, at('model'), { recursive: true });
    await breakIt((name = '') => at(join('model', name)));
    const { exitCode, stdout, stderr } = await spawnBlip2(['caption', star, '-m', at('model'), '-o', at('out.tsv')]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^${code}: [^\\n]+\\n$`));
    expect(await readdir(at())).toEqual(['model']);
  });

  test('a tokenizer with ids that the model does not have is not bad usage', async () => {
    const at = await temporaryFolder();
    await cp(demoModelFolder, at('model'), { recursive: true });
    const tokenizer = JSON.parse(await readFile(at('model/tokenizer.json'), 'utf8')) as {
      model: { vocab: Record<string, number> };
    };
    tokenizer.model.vocab['?'] = 100_000;
    await writeFile(at('model/tokenizer.json'), JSON.stringify(tokenizer));
    const { exitCode, stdout, stderr } = await spawnBlip2(['ask', star, '-q', 'what?', '-m', at('model'), '--quiet']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^INVALID_TOKENIZER: [^\n]*got 100000\. Take tokenizer and model[^\n]*\n$/);
  });

  test('an unsupported precision is bad usage', async () => {
    const { exitCode, stderr } = await spawnBlip2(['caption', star, '--quiet', '--dtype', 'fp16']);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^UNSUPPORTED_DTYPE: [^\n]*fp32[^\n]*\n$/);
  });
});

describe('pipes and interrupts', () => {
  const many = `${Array.from({ length: 300 }, () => `"${star}"`).join('\n')}\n`;

  test('ends silently when the reader closes the pipe', async () => {
    const at = await temporaryFolder({ 'many.jsonl': many });
    const { exitCode, stdout, stderr } = await bash(`blip2 caption --quiet --batch-size 1 @"$LIST" | head -1`, {
      LIST: at('many.jsonl'),
    });
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: `${star}\ta large yellow star\n`, stderr: '' });
  });

  test('an unhandled error ends the process with 1, is reported, and leaves no file', async () => {
    const at = await temporaryFolder({ 'many.jsonl': many });
    const stray = `import { isMainThread } from 'node:worker_threads';
if (isMainThread) setTimeout(() => { throw new RangeError('stray'); }, 700);`;
    const run = await spawnBlip2(['caption', '--quiet', `@${at('many.jsonl')}`, '-o', at('out.tsv')], {
      nodeOptions: ['--import', `data:text/javascript,${encodeURIComponent(stray)}`],
    });
    expect(run).toMatchObject({ exitCode: 1, signal: null, stdout: '' });
    // The call in progress may report that its model was disposed of.
    expect(run.stderr).toMatch(/^UNEXPECTED: stray\n(DISPOSED: .*\n)?$/);
    expect(await readdir(at())).toEqual(['many.jsonl']);
  });

  test('Ctrl-C ends the run with whole lines and 130, and the run can be resumed', async () => {
    const at = await temporaryFolder();
    const images = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        await copyFile(example('small-one.png'), at(`${index}.png`));
        return at(`${index}.png`);
      }),
    );
    const argv = ['caption', '--batch-size', '1', '-o', at('out.jsonl'), at()];
    const interrupted = await spawnBlip2(argv, {
      onStart: (interrupt) => void whenWritten(at('out.jsonl')).then(() => interrupt()),
    });
    expect(interrupted).toMatchObject({ exitCode: 130, signal: null, stdout: '' });
    expect(interrupted.stderr).toContain('Run the same command again to resume.');
    const first = await readFile(at('out.jsonl'), 'utf8');
    const written = first
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first.endsWith('\n')).toBe(true);
    expect(written.length).toBeGreaterThan(0);
    expect(written.length).toBeLessThan(images.length);
    expect((await spawnBlip2(argv)).exitCode).toBe(0);
    const all = (await readFile(at('out.jsonl'), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).image);
    expect(all).toEqual(images);
  });

  test('a second Ctrl-C ends the process immediately', async () => {
    const at = await temporaryFolder({ 'many.jsonl': many });
    let interrupts = 0;
    const { exitCode, signal, stdout } = await spawnBlip2(['caption', '--batch-size', '300', `@${at('many.jsonl')}`], {
      onStderr: (text, interrupt) => {
        if (interrupts === 0 && text.startsWith('Note')) interrupts = (interrupt(), 1);
        if (interrupts === 1 && text.includes('press Ctrl-C again')) interrupts = (interrupt(), 2);
      },
    });
    // Ended by the signal, which a shell reports as 130.
    expect({ interrupts, exitCode, signal, stdout }).toEqual({
      interrupts: 2,
      exitCode: null,
      signal: 'SIGINT',
      stdout: '',
    });
  });
});

describe('InstructBLIP', () => {
  const model = join(repository, 'tools/parity/cases/instructblip-t5/checkpoint');
  const image = join(repository, 'tools/parity/cases/instructblip-t5/images/photo.jpg');
  // A tiny model with random weights, whose texts are meaningless. The library's tests compare them with Hugging Face
  // Transformers ('generate/…' of the case).
  test('captions, answers and ranks', async () => {
    const common = ['-m', model, '--quiet', '--json'];
    const json = async (...argv: string[]): Promise<Record<string, unknown>> =>
      JSON.parse((await spawnBlip2([...argv, ...common])).stdout);
    const asked = await json('ask', image, '-q', 'A short image description:', '--max-new-tokens', '6');
    expect(asked).toMatchObject({
      question: 'A short image description:',
      tokenIds: expect.arrayContaining([expect.any(Number)]),
    });
    expect((await json('caption', image, '--max-new-tokens', '6'))['tokenIds']).toEqual(asked['tokenIds']);
    expect(await json('rank', image, '-q', 'what is it?', '-c', 'a cat', '-c', 'two dogs')).toMatchObject({
      candidates: [{ text: expect.any(String) }, { text: expect.any(String) }],
    });
  });

  test('holds a conversation', async () => {
    const { exitCode, stdout } = await spawnBlip2(['chat', image, '-m', model, '--quiet', '--max-new-tokens', '4'], {
      stdin: 'what is it?\nwhy?\n',
    });
    expect(exitCode).toBe(0);
    expect(stdout.trim().split('\n').length).toBeGreaterThanOrEqual(1);
  });
});
