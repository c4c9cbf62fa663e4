import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
/** Inside the repository, so that packages resolve as they do for a user. */
const folder = join(import.meta.dirname, 'out');

interface Snippet {
  readonly name: string;
  readonly code: string;
  /** What it prints, where the document says so. */
  readonly output: string | undefined;
}

/** A `ts` block, and the `text` block that follows it with nothing between: its output. */
const BLOCK = /^```ts\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?/gms;
/** Written by a program, checked where they come from. */
const GENERATED = join('docs', 'api');

/** The README files, and every page below `docs`. */
function documents(): string[] {
  const packages = ['libs', 'apps', 'tools'].flatMap((group) => readdirSync(join(root, group)).map((name) => join(group, name, 'README.md')));
  const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name));
  return ['README.md', ...packages, ...pages].filter((file) => file.endsWith('.md') && !file.startsWith(GENERATED) && existsSync(join(root, file)));
}

/** Their code, with the placeholders of model and picture filled in. */
function snippets(): Snippet[] {
  return documents().flatMap((file) => [...readFileSync(join(root, file), 'utf8').matchAll(BLOCK)].map(([, code = '', output], index) => ({
    name: `${file.replace(/[/.]/g, '-')}-${index + 1}`, code: fillIn(code), output,
  })));
}

/** Small checkpoints of the repository in the places of those that are named. */
const MODELS: Readonly<Record<string, string>> = {
  'blip2-opt-2.7b': 'apps/cli/models/blip2-opt-shapes',
  'blip2-flan-t5-xl': 'apps/cli/models/blip2-t5-shapes',
  'blip2-itm-vit-g': 'apps/cli/models/blip2-itm-shapes',
  'clip-vit-large-patch14': 'libs/vision/fixtures/clip/checkpoint',
  'instructblip-vicuna-7b': 'tools/parity/cases/instructblip-llama/checkpoint',
};

function fillIn(code: string): string {
  const named = Object.entries(MODELS).reduce((text, [name, folder]) => text.replaceAll(`'path/to/${name}'`, JSON.stringify(join(root, folder))), code);
  const pictured = named.replaceAll(`'picture.jpg'`, JSON.stringify(join(root, 'examples/left-of.png')));
  // Snippets for a clone of this repository name what is in it.
  return pictured.replace(/'((?:examples|apps\/cli\/models)\/[^']*)'/g, (_, file: string) => JSON.stringify(join(root, file)));
}

/** Milliseconds, on a machine that does other things too. */
const PATIENCE = 60_000;
const all = snippets();
const sourceOf = ({ name }: Snippet): string => join(folder, `${name}.ts`);

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const snippet of all) writeFileSync(sourceOf(snippet), `${snippet.code}\nexport {};\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('there is documented code, in guides too, and with its output', () => {
  expect(all.filter(({ name }) => name.startsWith('docs-guides-')).length).toBeGreaterThan(10);
  expect(all.filter(({ output }) => output !== undefined).length).toBeGreaterThan(5);
});

test('documented code type-checks', () => {
  const { options } = ts.convertCompilerOptionsFromJson({ strict: true, target: 'es2022', lib: ['es2023', 'esnext.disposable'], module: 'nodenext', noEmit: true, skipLibCheck: true, types: ['node'] }, root);
  const program = ts.createProgram(all.map(sourceOf), options);
  expect(ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`)).toEqual([]);
}, PATIENCE);

describe('documented code runs', () => {
  test.each(all)('$name', (snippet) => {
    const program = join(folder, `${snippet.name}.mjs`);
    writeFileSync(program, ts.transpileModule(readFileSync(sourceOf(snippet), 'utf8'), { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } }).outputText);
    const printed = execFileSync(process.execPath, [program], { encoding: 'utf8', cwd: folder, env: { ...process.env, BLIP2_CACHE: join(folder, 'cache') }, stdio: ['ignore', 'pipe', 'pipe'] });
    if (snippet.output !== undefined) expect(printed).toBe(snippet.output);
  }, PATIENCE);
});
