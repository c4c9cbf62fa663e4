import { existsSync, readFileSync } from 'node:fs';

import { expect } from 'vitest';

import type { Shell, ShellRun } from './documented-shell.ts';

/** Checks what the comment of a line promises. */
export type Check = (run: ShellRun, shell: Shell) => void | Promise<void>;

/**
 * Comments of documented lines, and the checks of what they promise. Comments that list columns, `path<TAB>caption`,
 * are
 * checked by `expectColumns`.
 */
export const PROMISES: Readonly<Record<string, Check>> = {
  'also a contact sheet: thumbnails with their captions': (_, { at }) => {
    const html = readFileSync(at('holiday.html'), 'utf8');
    expect(html.match(/src="data:image\/jpeg;base64,/g)).toHaveLength(1);
    expect(html).toContain('a large yellow star');
  },
  'streamed answers; the image is encoded once': ({ stdout }) => expect(stdout).toMatch(/^(\w[\w ]*\n){2}$/),
  'a.txt next to each a.jpg': (_, { at }) => {
    for (const name of ['training/a.txt', 'training/more/b.txt'])
      expect(readFileSync(at(name), 'utf8')).toMatch(/^\w[\w ]+\n$/);
  },
  'also .parquet, .jsonl': async (_, shell) => {
    expect(readFileSync(shell.at('answers.csv'), 'utf8')).toMatch(
      /^image,question,text,score\r?\nphotos\/1\.png,is it day or night\?,[^]*\nphotos\/2\.png,/,
    );
    const others = await shell.run(
      ['parquet', 'jsonl'].map((type) => `blip2 ask photos/ -q "is it day or night?" -o answers.${type}`).join(' && '),
    );
    expect(others.exitCode).toBe(0);
    expect(readFileSync(shell.at('answers.parquet')).subarray(0, 4).toString()).toBe('PAR1');
    expect(
      readFileSync(shell.at('answers.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).image),
    ).toEqual(['photos/1.png', 'photos/2.png']);
  },
  'features; texts with -t TEXT': async (_, shell) => {
    expect(npyShape(shell, 'photos.npy')).toEqual([2, 64]);
    expect((await shell.run('blip2 embed -t "a dog" --pool mean -o text.npy')).exitCode).toBe(0);
    expect(npyShape(shell, 'text.npy')).toEqual([1, 64]);
  },
  'a folder for clip-retrieval and autofaiss': (_, shell) => {
    expect(npyShape(shell, 'index/img_emb/img_emb_0.npy')).toEqual([2, 64]);
    expect(existsSync(shell.at('index/metadata/metadata_0.parquet'))).toBe(true);
  },
  'attention of the queries, drawn over the image': (_, shell) => expectImage(shell, 'where.png'),
  'the regions that support the text': (_, shell) => expectImage(shell, 'dog.png'),
  'architecture, sizes, and whether it runs here': ({ stdout }) => {
    for (const said of [/^architecture .*\bopt$/m, /^size .*MB stored$/m, /^memory .*this machine has/m, /^runs +yes/m])
      expect(stdout).toMatch(said);
  },
  'the built-in demo, as ONNX files': (_, { at }) => {
    const { files } = JSON.parse(readFileSync(at('demo-onnx/onnx_export.json'), 'utf8'));
    expect(Object.keys(files)).toContain('decoder_model_merged');
  },
  'agreement, time and memory of precisions': ({ stdout }) => {
    expect(stdout).toMatch(/fast\t.*\ttokens \d+\/\d+\tlogit error [\d.]+ %/);
    for (const dtype of ['fp32', 'fast'])
      expect(stdout).toMatch(new RegExp(`^${dtype}\\tload \\d+ ms.*memory \\d+ MiB$`, 'm'));
  },
  'time and memory on this machine': ({ stdout }) => {
    for (const row of [/^ +fast +small$/m, /^captionMs .*\d+ /m, /^peakMiB .* \d+ +\d+$/m]) expect(stdout).toMatch(row);
  },
  'only files, sizes and licence': ({ stdout }, { downloads }) => {
    expect(stdout).toMatch(/Licence: mit/);
    expect(stdout).toMatch(/^model\.safetensors\s+[\d.]+ MB$/m);
    expect(downloads()).toBe(0);
  },
  'a hub model, downloaded once': async ({ stdout }, shell) => {
    expect(stdout).toMatch(/^photo\.jpg\t\w[\w ]+\n$/);
    const before = shell.downloads();
    expect(before).toBeGreaterThan(0);
    expect(await shell.run('blip2 caption -m Salesforce/blip2-flan-t5-xl photo.jpg')).toMatchObject({
      exitCode: 0,
      stdout,
    });
    expect(shell.downloads()).toBe(before);
  },
  'all options, with examples': ({ stdout }) => {
    expect(stdout).toMatch(/--model[^]*--dtype[^]*--max-new-tokens[^]*\nExamples:\n {2}blip2 caption/);
  },
  bash: async (_, shell) => expectCompletion(shell, '~/.bashrc'),
  // Other shells may not be installed: only the content is checked here. The scripts of all shells have their own
  // tests.
  'zsh, after compinit': async (_, shell) => {
    expect(readFileSync(shell.at('~/.zshrc'), 'utf8')).toBe('source <(blip2 completion zsh)\n');
    expect((await shell.run('blip2 completion zsh')).stdout).toMatch(/\bcompdef\b/);
  },
  fish: (_, { at }) =>
    expect(readFileSync(at('~/.config/fish/completions/blip2.fish'), 'utf8')).toMatch(/^complete -c blip2 /m),
  'bash 3.2 of macOS: a file to source in ~/.bash_profile': async (_, shell) =>
    expectCompletion(shell, '~/.blip2-completion.bash'),
};

/** Patterns of columns by name; other columns are any text. */
const COLUMNS: Readonly<Record<string, string>> = {
  path: 'photo\\.jpg',
  probability: '(?:0\\.\\d+|1\\.0+)',
  cosine: '-?(?:0\\.\\d+|1\\.0+)',
  '…': '.+',
};

/** Expects these columns in each line of stdout. */
export function expectColumns(stdout: string, columns: string): void {
  const row = columns
    .split('<TAB>')
    .map((name) => COLUMNS[name] ?? '[^\\t]+')
    .join('\\t');
  expect(stdout).toMatch(new RegExp(`^(?:${row}\\n)+$`));
}

function npyShape({ at }: Shell, name: string): number[] {
  const header = /'shape': \(([^)]*)\)/.exec(readFileSync(at(name)).subarray(0, 200).toString('latin1'));
  return (header?.[1] ?? '')
    .split(',')
    .filter((size) => size.trim() !== '')
    .map(Number);
}

/** Expects a PNG of the same size as `photo.jpg`. */
function expectImage({ at }: Shell, name: string): void {
  const png = readFileSync(at(name));
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([640, 480]);
}

async function expectCompletion({ run }: Shell, file: string): Promise<void> {
  expect(await run(`source ${file} && complete -p blip2`)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^complete .*blip2\n$/),
  });
}
