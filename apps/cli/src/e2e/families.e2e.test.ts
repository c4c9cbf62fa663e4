import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';

const fixtures = join(repository, 'libs/blip2/src/fixtures/families');
const demo = join(repository, 'apps/cli/models/blip2-opt-shapes');
const itm = join(repository, 'apps/cli/models/blip2-itm-shapes');
const image = join(repository, 'examples/left-of.png');
let scratch = '';
const at = (name: string): string => join(scratch, name);

/** Saves a part of each family, and a whole model of both, with the packages alone. */
const SAVE = `
  import { writeFile } from 'node:fs/promises';
  import { Blip2ForConditionalGeneration } from '@blip2/blip2';
  const { MosaicConfig, MosaicVisionEncoder } = await import('./mosaic-vision.mjs');
  const { GlyphConfig, GlyphForCausalLM } = await import('./glyph-language.mjs');
  const size = { hiddenSize: 128, numHiddenLayers: 2, numAttentionHeads: 4, imageSize: 64 };
  const vision = await MosaicVisionEncoder.fromConfig(MosaicConfig.create(size), { seed: 3, threads: 1 });
  const language = await GlyphForCausalLM.fromConfig(GlyphConfig.create({}), { seed: 4, threads: 1 });
  await vision.savePretrained('vision');
  await language.savePretrained('language');
  const demo = process.argv[2];
  const model = await Blip2ForConditionalGeneration.fromPretrained(
    { qformer: demo, vision: 'vision', language: 'language', processor: demo }, { threads: 1 });
  await model.savePretrained('whole');
`;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-cli-families-'));
  await symlink(join(repository, 'node_modules'), at('node_modules'), 'dir');
  for (const name of ['mosaic-vision', 'glyph-language']) {
    const { outputText } = ts.transpileModule(await readFile(join(fixtures, `${name}.ts`), 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true },
    });
    await writeFile(at(`${name}.mjs`), outputText);
  }
  await writeFile(at('both.mjs'), "import './mosaic-vision.mjs';\nimport './glyph-language.mjs';\n");
  await writeFile(at('save.mjs'), SAVE);
  await promisify(execFile)(process.execPath, [at('save.mjs'), demo], { cwd: scratch });
  await mkdir(at('vision'), { recursive: true });
  await cp(join(demo, 'preprocessor_config.json'), join(at('vision'), 'preprocessor_config.json'));
}, 60_000);
afterAll(() => rm(scratch, { recursive: true }));

const families = (): string[] => ['--module', at('both.mjs')];

async function outputOf(argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await spawnBlip2(argv);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

describe('families of a module outside of the repository', () => {
  const generation = ['--max-new-tokens', '4', '--threads', '1', '--quiet'];

  test('caption a whole model, and the same from a source per part', async () => {
    const whole = await outputOf(['caption', image, '-m', at('whole'), ...families(), ...generation]);
    expect(whole.trim()).not.toBe('');
    const parts = ['-m', demo, '--vision', at('vision'), '--language', at('language'), '--processor', demo];
    expect(await outputOf(['caption', image, ...parts, ...families(), ...generation])).toBe(whole);
  });

  test.each([
    ['ask', (): string[] => ['ask', image, '-q', 'what?', '-m', at('whole'), ...generation]],
    ['rank', (): string[] => ['rank', image, '-q', 'what?', '-c', 'a', '-c', 'b', '-m', at('whole'), '--threads', '1']],
    ['embed', (): string[] => ['embed', image, '--part', 'vision', '--json', '-m', at('whole')]],
    ['embed of its only part', (): string[] => ['embed', image, '--layer', '-2', '--json', '-m', at('vision')]],
    ['embed of the default part', (): string[] => ['embed', image, '--json', '-m', at('whole')]],
    [
      'embed of the language model',
      (): string[] => ['embed', '-t', 'a star', '--part', 'language', '--layer', '1', '--json', '-m', at('whole')],
    ],
    ['export', (): string[] => ['export', at('vision'), '-o', at('onnx')]],
    ['inspect of a part', (): string[] => ['inspect', at('language'), '--json']],
    ['match', (): string[] => ['match', image, '-t', 'a star', '-m', itm, '--vision', at('vision'), '--quiet']],
    ['heatmap', (): string[] => ['heatmap', image, '-o', at('map.png'), '-m', at('whole')]],
    ['inspect', (): string[] => ['inspect', at('whole'), '--json']],
    ['compare', (): string[] => ['compare', at('whole'), image, '--dtype', 'fp32,q8', '--quiet']],
    ['bench', (): string[] => ['bench', at('whole'), '--rounds', '1', '--new-tokens', '2', '--threads', '1', '--json']],
  ])('%s runs', async (_, argv) => {
    const { exitCode, stderr } = await spawnBlip2([...argv(), ...families()]);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  });

  test('inspect describes a model of several folders', async () => {
    const parts = ['--vision', at('vision'), '--language', at('language'), '--processor', demo];
    const whole = JSON.parse(await outputOf(['inspect', at('whole'), '--json', ...families()])) as Report;
    const several = JSON.parse(await outputOf(['inspect', demo, ...parts, '--json', ...families()])) as Report;
    expect(several).toMatchObject({ languageModel: 'glyph', missing: [], unexpected: [], unsupported: [] });
    expect(several.parts.map(({ part, parameters }) => [part, parameters])).toEqual(
      whole.parts.map(({ part, parameters }) => [part, parameters]),
    );
  });

  test('without the module, the error names the families and the option', async () => {
    const { exitCode, stderr } = await spawnBlip2(['caption', image, '-m', at('whole')]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/UNSUPPORTED_ARCHITECTURE.*got "(?:mosaic|glyph)".*--module/s);
  });

  test('a module that neither exports nor registers anything is refused', async () => {
    await writeFile(at('nothing.mjs'), 'export const answer = 42;\n');
    const { exitCode, stderr } = await spawnBlip2(['caption', image, '--module', at('nothing.mjs'), '--quiet']);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('or register a model family')]);
  });
});

interface Report {
  readonly parts: readonly { readonly part: string; readonly parameters: number }[];
}
