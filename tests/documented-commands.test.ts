import { statSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { expectColumns, PROMISES } from './command-promises.ts';
import { openShell, type Shell, type ShellRun } from './documented-shell.ts';
import { documentedBlocks } from './documents.ts';

interface Exception {
  /** The line that runs in its place. */
  readonly instead?: string;
  readonly because: string;
}

const MAKE_T5 = '.venv/bin/python make_case.py --config configs/t5-v1.0-relu.json';
/** Lines that do not run unchanged. Every other line of every `sh` block does. */
const EXCEPTIONS: Readonly<Record<string, Exception>> = {
  'npm ci && npx --no-install blip2 caption examples/left-of.png': {
    instead: 'npx --no-install blip2 caption examples/left-of.png',
    because: 'these tests run in what `npm ci` installed',
  },
  'blip2 serve': { because: 'serve.e2e.test.ts runs it: it does not end by itself' },
  'blip2 serve Salesforce/blip2-flan-t5-xl --dtype fast --model itm=Salesforce/blip2-itm-vit-g': {
    because: 'it does not end by itself',
  },
  'blip2 mcp --root ~/Photos': { because: 'the tests of libs/mcp run it with a client' },
  'blip2 mcp Salesforce/blip2-flan-t5-xl --match-model Salesforce/blip2-itm-vit-g --dtype fast': {
    because: 'the tests of libs/mcp run it with a client',
  },
  'blip2 download Salesforce/blip2-flan-t5-xl': { because: 'another line does, with --dry-run' },
  'npm install @blip2/cli @blip2/mcp': { because: 'release.test.ts installs the packages' },
  'blip2 serve Salesforce/blip2-flan-t5-xl --dtype fast --host 0.0.0.0 --api-key secret': {
    because: 'it does not end by itself',
  },
  'blip2 serve --model blip2-opt-2.7b=Salesforce/blip2-opt-2.7b --dtype fast --host 0.0.0.0': {
    because: 'it does not end by itself',
  },
  'npm test': { because: 'it runs this' },
  'npm run parity -- tools/parity/cases': { because: 'the tests of tools/parity run every case' },
  'npm run mutants -- --json mutants.json': { because: 'it takes many minutes' },
  'npm run bench -- --shape tiny --ours fp32,fast --blocks 1 --rounds 1 --json tiny.json': {
    because: 'benchmarks.test.ts runs it',
  },
  'npm run attack -- --cases 10000': {
    instead: 'npm run attack -- --cases 50 --only config',
    because: 'the tests of tools/attack run every target',
  },
  'npm run kills -- --kills 200': {
    instead: 'npm run kills -- --kills 1 --only download',
    because: 'it takes many minutes',
  },
  'npm run exits -- --runs 50': {
    instead: 'npm run exits -- --runs 1',
    because: 'it takes many minutes',
  },
  'npm run promise-mutants -- --only hub': { because: 'it takes many minutes' },
  'npm run load -- --seconds 600': {
    because: 'it takes ten minutes, and its limits need a quiet machine',
  },
  'npm run bench:table': { because: 'benchmarks.test.ts compares what it writes' },
  'npm run release -- 0.2.0 --dry-run': { because: 'release.test.ts does, in a copy of the repository' },
  'python3.11 -m venv .venv && .venv/bin/pip install -r requirements.txt': { because: 'it installs PyTorch' },
  [`${MAKE_T5} --out ../parity/cases/t5-v1.0-relu`]: {
    because: 'it needs PyTorch; what it writes is committed',
  },
  'cd ../.. && npm run parity -- tools/parity/cases --only t5-v1.0-relu': {
    instead: 'npm run parity -- tools/parity/cases --only t5-v1.0-relu',
    because: 'lines with `npm` start at the top of the repository',
  },
  [`${MAKE_T5} --out /tmp/wrong --mutate "t5: encoder buckets causal"`]: { because: 'it needs PyTorch' },
  'cd ../.. && npm run parity -- /tmp/wrong': { because: 'the line before makes the folder' },
};

const SHELLS = ['sh', 'bash', 'shell', 'console', 'zsh'];
/** A shell command, with or without its prompt. */
const TYPED = /^\s*(?:\$ |> )?(?:blip2|npx|npm|node|python3?) \S/m;
const blocks = documentedBlocks();
const shellBlocks = blocks
  .filter(({ language }) => SHELLS.includes(language))
  .map((block) => ({ ...block, name: `${block.file}, block ${block.index}`, lines: linesOf(block.code) }));
const lines = shellBlocks.flatMap((block) => block.lines);

interface Line {
  readonly command: string;
  readonly comment: string | undefined;
}

function linesOf(code: string): Line[] {
  return code
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => /^(.*?)(?:\s+# (.*))?$/.exec(line.trim()))
    .flatMap((match) => (match?.[1] ? [{ command: match[1], comment: match[2] }] : []));
}

/** Files that a line writes. */
function writtenBy(command: string): string[] {
  return [...command.replaceAll(/'[^']*'|"[^"]*"/g, 'TEXT').matchAll(/(?:\s-o|\s--report|\s>>?) (\S+)/g)].map(
    ([, file = '']) => file,
  );
}

/** Timeout in milliseconds, for machines that are busy with other work. */
const TIMEOUT = 300_000;
let shell: Shell;
beforeAll(async () => void (shell = await openShell()));
afterAll(() => shell[Symbol.asyncDispose]());

test('every command in a document is in a block that runs', () => {
  expect(lines.filter(({ command }) => /\bblip2 /.test(command)).length).toBeGreaterThan(20);
  const other = blocks.filter(({ language }) => !SHELLS.includes(language) && language !== 'mermaid');
  const hidden = other.filter(({ code }) => TYPED.test(code));
  expect(hidden.map(({ file, code }) => `${file}: ${code}`)).toEqual([]);
});

test('every exception and promise belongs to an existing line', () => {
  const commands = lines.map(({ command }) => command);
  expect(Object.keys(EXCEPTIONS).filter((command) => !commands.includes(command))).toEqual([]);
  const comments = lines.flatMap(({ comment = '' }) => comment);
  expect(Object.keys(PROMISES).filter((comment) => !comments.includes(comment))).toEqual([]);
});

/** The lines of a block that run. */
function runningOf(all: readonly Line[]): Line[] {
  return all.flatMap(({ command, comment }) => {
    const exception = EXCEPTIONS[command];
    const running = exception ? exception.instead : command;
    return running === undefined ? [] : [{ command: running, comment }];
  });
}

for (const { name, lines: all, output } of shellBlocks) {
  const running = runningOf(all);
  if (running.length === 0) continue;
  describe(name, () => {
    let printed = '';
    test.each(running)(
      '$command',
      async ({ command, comment }) => {
        const run = await shell.run(command);
        expect(run).toMatchObject({ exitCode: 0 });
        printed += run.stdout;
        const files = writtenBy(command);
        for (const file of files) expect([file, statSync(shell.at(file)).size > 0]).toEqual([file, true]);
        if (comment !== undefined) await expectPromise(comment, run);
        else if (files.length === 0) expect(run.stdout).not.toBe('');
      },
      TIMEOUT,
    );
    if (output !== undefined) test('prints the documented output', () => expect(printed).toBe(output));
  });
}

async function expectPromise(comment: string, run: ShellRun): Promise<void> {
  if (comment.includes('<TAB>')) return expectColumns(run.stdout, comment);
  const check = PROMISES[comment];
  expect([comment, check !== undefined]).toEqual([comment, true]);
  await check?.(run, shell);
}
