import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { HubServer } from '@blip2/testing';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { hubVariables, startDemoHub } from './demo-hub.ts';
import { documentedBlocks, root } from './documents.ts';

/** Inside the repository, so that packages resolve as they do for a user. */
const folder = join(import.meta.dirname, 'out');

interface Snippet {
  readonly name: string;
  readonly code: string;
  /** Its output, if documented. */
  readonly output: string | undefined;
}

/** The code of all documents, with placeholders for models and images filled in. */
function snippets(): Snippet[] {
  return documentedBlocks()
    .filter(({ language }) => language === 'ts')
    .map(({ file, index, code, output }) => ({
      name: `${file.replace(/[/.]/g, '-')}-${index}`,
      code: fillIn(code),
      output,
    }));
}

/** Small checkpoints of the repository, by the name of the documented checkpoint that they replace. */
const MODELS: Readonly<Record<string, string>> = {
  'blip2-opt-2.7b': 'apps/cli/models/blip2-opt-shapes',
  'blip2-flan-t5-xl': 'apps/cli/models/blip2-t5-shapes',
  'blip2-itm-vit-g': 'apps/cli/models/blip2-itm-shapes',
  'clip-vit-large-patch14': 'tools/parity/cases/clip/checkpoint',
  'blip2-base': 'tools/parity/cases/opt/checkpoint',
  'my-lora': 'tools/parity/cases/values/adapters/opt-blip2/adapter-1',
  'instructblip-vicuna-7b': 'tools/parity/cases/instructblip-llama/checkpoint',
};

function fillIn(code: string): string {
  const named = Object.entries(MODELS).reduce(
    (text, [name, folder]) => text.replaceAll(`'path/to/${name}'`, JSON.stringify(join(root, folder))),
    code,
  );
  const imaged = named.replaceAll(`'image.jpg'`, JSON.stringify(join(root, 'examples/left-of.png')));
  // Snippets for a clone of this repository use its files.
  return imaged.replace(/'((?:examples|apps\/cli\/models)\/[^']*)'/g, (_, file: string) =>
    JSON.stringify(join(root, file)),
  );
}

/** Timeout in milliseconds, for machines that are busy with other work. */
const TIMEOUT = 60_000;
/** Blocks in other languages, and why they do not run here. */
const OTHERS: Readonly<Record<string, string>> = {
  sh: 'documented-commands.test.ts runs them',
  text: 'the output of the block before',
  python: 'it needs packages of Python',
  mermaid: 'architecture.test.ts compares it with the imports',
  '': 'file formats',
};
const all = snippets();
const sourceOf = ({ name }: Snippet): string => join(folder, `${name}.ts`);

let hub: HubServer;
beforeAll(async () => {
  hub = await startDemoHub();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const snippet of all) writeFileSync(sourceOf(snippet), `${snippet.code}\nexport {};\n`);
});
afterAll(async () => {
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

test('documents contain code, also in guides and with output', () => {
  expect(all.filter(({ name }) => name.startsWith('docs-guides-')).length).toBeGreaterThan(10);
  expect(all.filter(({ output }) => output !== undefined).length).toBeGreaterThan(5);
});

test('every block is in a language that is checked', () => {
  const languages = new Set(documentedBlocks().map(({ language }) => language));
  expect([...languages].sort()).toEqual(['ts', ...Object.keys(OTHERS)].sort());
});

test(
  'documented code type-checks',
  () => {
    const { options } = ts.convertCompilerOptionsFromJson(
      {
        strict: true,
        target: 'es2022',
        lib: ['es2023', 'esnext.disposable'],
        module: 'nodenext',
        noEmit: true,
        skipLibCheck: true,
        types: ['node'],
      },
      root,
    );
    const program = ts.createProgram(all.map(sourceOf), options);
    expect(
      ts
        .getPreEmitDiagnostics(program)
        .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`),
    ).toEqual([]);
  },
  TIMEOUT,
);

describe('documented code runs', () => {
  test.each(all)(
    '$name',
    async (snippet) => {
      const program = join(folder, `${snippet.name}.mjs`);
      writeFileSync(
        program,
        ts.transpileModule(readFileSync(sourceOf(snippet), 'utf8'), {
          compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
        }).outputText,
      );
      // Asynchronous, because the hub server runs in this process.
      const { stdout } = await promisify(execFile)(process.execPath, [program], {
        cwd: folder,
        env: { ...process.env, ...hubVariables(hub, folder) },
      });
      if (snippet.output !== undefined) expect(stdout).toBe(snippet.output);
    },
    TIMEOUT,
  );
});
