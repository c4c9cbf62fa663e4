import { cp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2ForImageTextRetrieval, exportOnnx, loadImageTasks } from '@blip2/blip2';
import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { repository } from '../../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { demoModelFolder, demoRetrievalFolder } from '../../model/demo-model.ts';

/** A copy of the demo checkpoint to break. */
async function demoCopy(): Promise<(name?: string) => string> {
  const at = await temporaryFolder();
  await cp(demoModelFolder, at(), { recursive: true });
  return at;
}
async function editConfig(
  at: (name?: string) => string,
  edit: (config: Record<string, unknown>) => unknown,
): Promise<void> {
  await writeFile(at('config.json'), JSON.stringify(edit(JSON.parse(await readFile(at('config.json'), 'utf8')))));
}

describe('blip2 inspect', () => {
  test('--json has one object: parts, parameters, bytes, memory', async () => {
    const { exitCode, stdout, stderr, calls } = await runFake(['inspect', demoModelFolder, '--json']);
    expect({ exitCode, stderr, calls }).toEqual({ exitCode: 0, stderr: '', calls: [] });
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      architecture: 'Blip2ForConditionalGeneration',
      languageModel: 'opt',
      files: 1,
      image: { size: 64, patchSize: 8, patches: 64 },
      tokens: { queries: 12, vocabulary: 448, positions: 128 },
      layers: { vision: 6, qformer: 4, language: 4 },
      hiddenSizes: { vision: 128, qformer: 96, language: 128 },
      runs: ['fp32', 'int8', 'q8', 'q4', 'fast', 'small'],
      unsupported: [],
      memory: { fits: true, byPrecision: { small: { fits: true } } },
    });
    // The figures in the README of the checkpoint: 1 223 040 in the encoder, 2 375 488 in total, float16.
    expect(report.parts.map((part: { part: string; parameters: number }) => [part.part, part.parameters])).toEqual([
      ['vision', 1223040],
      ['qformer', 535872],
      ['projection', 12416],
      ['language', 604160],
    ]);
    expect(report).toMatchObject({ parameters: 2375488, bytes: { stored: 2 * 2375488, fp32: 4 * 2375488 } });
    expect(report.bytes.q4).toBeLessThan(report.bytes.q8);
    expect(report.memory.neededBytes).toBeGreaterThan(report.bytes.fp32);
    expect(report.memory.availableBytes).toBeLessThanOrEqual(report.memory.totalBytes);
  });

  test('writes a table for people; the default is the demo', async () => {
    const { stdout } = await runFake(['inspect']);
    for (const line of [
      'Blip2ForConditionalGeneration, language model opt',
      '64 x 64 pixels, 64 patches of 8 x 8',
      '2,375,488 parameters in 1 file',
      'yes, in fp32',
      'vision, qformer, projection, language: caption; ask; chat; rank',
      'vision: embed --part vision',
      'of them converted once and cached',
    ])
      expect(stdout).toContain(line);
  });

  test('supports a retrieval checkpoint, which has no language model', async () => {
    const { exitCode, stdout, stderr } = await runFake(['inspect', demoRetrievalFolder, '--json']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      architecture: 'Blip2ForImageTextRetrieval',
      runs: expect.arrayContaining(['fp32', 'int8']),
      parameters: 2102434,
      tasks: expect.arrayContaining([{ task: 'match', parts: ['vision', 'qformer', 'heads'] }]),
    });
    expect(JSON.parse(stdout).languageModel).toBeUndefined();
  });

  test('writes to a file with -o', async () => {
    const at = await temporaryFolder();
    const { stdout } = await runFake(['inspect', '-m', demoModelFolder, '--json', '-o', at('report.json')]);
    expect(stdout).toBe('');
    expect(JSON.parse(await readFile(at('report.json'), 'utf8'))).toMatchObject({ languageModel: 'opt' });
    expect(await readdir(at())).toEqual(['report.json']);
  });
});

const instructBlip = join(repository, 'tools/parity/cases/instructblip-llama/checkpoint');

describe('bytes per precision', () => {
  const checkpoints: [name: string, folder: string][] = [
    ['OPT', demoModelFolder],
    ['T5', join(repository, 'tools/parity/cases/t5/checkpoint')],
    ['InstructBLIP with Llama', instructBlip],
    ['a retrieval model', demoRetrievalFolder],
  ];
  test.each(checkpoints)('are those of the files that loading %s creates', async (_name, folder) => {
    const { precisions, bytes } = JSON.parse((await runFake(['inspect', folder, '--json'])).stdout);
    for (const dtype of ['int8', 'q8', 'q4', 'fast', 'small'] as const) {
      const at = await temporaryFolder();
      const options = { dtype, convertedDir: at() };
      await using model =
        folder === demoRetrievalFolder
          ? await Blip2ForImageTextRetrieval.fromPretrained(folder, options)
          : await loadImageTasks(folder, options);
      expect(model).toBeDefined();
      const names = (await readdir(at('weights'))).filter((name) => name.endsWith('.safetensors'));
      const sizes = await Promise.all(names.map(async (name) => (await stat(join(at('weights'), name))).size));
      const written = sizes.reduce((sum, size) => sum + size, 0);
      // Each file has some hundred bytes of metadata about its sources.
      expect([dtype, Math.abs(precisions[dtype].convertedBytes - written) / written]).toEqual([
        dtype,
        expect.closeTo(0, 2),
      ]);
      expect(bytes[dtype]).toBeGreaterThan(precisions[dtype].convertedBytes);
    }
    expect(precisions.fp32.convertedBytes).toBe(0);
  });
});

describe('a checkpoint of InstructBLIP', () => {
  test('runs, and the report lists what each command loads', async () => {
    const { exitCode, stdout } = await runFake(['inspect', instructBlip, '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      architecture: 'InstructBlipForConditionalGeneration',
      languageModel: 'llama',
      missing: [],
      unexpected: [],
      tasks: expect.arrayContaining([{ task: 'chat', parts: ['vision', 'qformer', 'projection', 'language'] }]),
    });
  });

  test('needs the second tokenizer', async () => {
    const at = await temporaryFolder();
    await cp(instructBlip, at(), { recursive: true });
    await rm(at('qformer_tokenizer/tokenizer.json'));
    expect(JSON.parse((await runFake(['inspect', at(), '--json'])).stdout)).toMatchObject({
      runs: [],
      unsupported: [{ code: 'MISSING_FILE', message: expect.stringContaining('qformer_tokenizer') }],
    });
  });
});

describe('names of tensors', () => {
  test('the demo lacks no tensor and has none that is not read', async () => {
    const { stdout } = await runFake(['inspect', demoModelFolder, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ origin: 'huggingface', missing: [], unexpected: [] });
  });

  test('lists missing tensors and those that are not read, and recognizes LAVIS names', async () => {
    const at = await demoCopy();
    await rename(at('model.safetensors'), (name) =>
      name
        .replace(/^vision_model\.post_layernorm/, 'ln_vision')
        .replace(/^language_projection/, 'opt_proj')
        .replace('query_tokens', 'other_tokens'),
    );
    const { exitCode, stdout } = await runFake(['inspect', at(), '--json']);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      origin: 'lavis',
      missing: ['query_tokens'],
      unexpected: ['other_tokens'],
      unsupported: [{ code: 'MISSING_WEIGHT' }],
    });
    const table = (await runFake(['inspect', at()])).stdout;
    for (const line of [
      /^names +LAVIS/m,
      /^missing +1 tensors: query_tokens$/m,
      /^not read +1 tensors: other_tokens$/m,
    ])
      expect(table).toMatch(line);
  });
});

/** Renames tensors in a safetensors file. */
async function rename(file: string, newName: (name: string) => string): Promise<void> {
  const bytes = await readFile(file);
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const header = Object.entries(JSON.parse(bytes.toString('utf8', 8, end))).map(
    ([name, value]) => [newName(name), value] as const,
  );
  const written = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(written.length));
  await writeFile(file, Buffer.concat([length, written, bytes.subarray(end)]));
}

describe('a part that is a checkpoint of its own', () => {
  const cases = join(repository, 'tools/parity/cases');
  const report = async (folder: string, ...more: readonly string[]) => {
    const { exitCode, stdout } = await runFake(['inspect', folder, '--json', ...more]);
    return { exitCode, ...JSON.parse(stdout) };
  };

  test.each([
    ['siglip', 'SiglipModel', 24],
    ['clip', 'CLIPModel', 24],
    ['vit', 'ViTModel', undefined],
    ['dinov2', 'Dinov2Model', undefined],
    ['eva', undefined, 24],
  ])('%s: sizes, weights and precisions', async (name, architecture, size) => {
    const found = await report(join(cases, name, 'checkpoint'));
    expect(found).toMatchObject({
      exitCode: 0,
      image: size === undefined ? {} : { size },
      missing: [],
      layers: { vision: expect.any(Number) },
      runs: expect.arrayContaining(['fp32', 'q4']),
      unsupported: [],
    });
    expect(found.architecture).toBe(architecture);
    expect(found.parts.map(({ part }: { part: string }) => part)).toEqual(['vision']);
    expect(found.precisions.int8.convertedBytes).toBeGreaterThan(0);
  });

  test.each(['qwen2', 'gpt2', 'mt5', 'gemma3-text', 'phi3', 'umt5'])(
    '%s: sizes, weights and precisions',
    async (name) => {
      expect(await report(join(cases, name, 'checkpoint'))).toMatchObject({
        exitCode: 0,
        languageModel: expect.any(String),
        tokens: { vocabulary: expect.any(Number) },
        missing: [],
        unexpected: [],
        parts: [{ part: 'language' }],
        tasks: [],
        runs: expect.arrayContaining(['fp32', 'fast']),
      });
    },
  );

  test('the bytes of a precision are those of the files that loading creates', async () => {
    for (const name of ['siglip', 'qwen2']) {
      const folder = join(cases, name, 'checkpoint');
      const { precisions } = await report(folder);
      const at = await temporaryFolder();
      await exportOnnx(folder, { folder: at('onnx'), dtype: 'q8', convertedDir: at('converted') });
      const names = (await readdir(at('converted/weights'))).filter((file) => file.endsWith('.safetensors'));
      const sizes = await Promise.all(
        names.map(async (file) => (await stat(join(at('converted/weights'), file))).size),
      );
      const written = sizes.reduce((sum, size) => sum + size, 0);
      // Metadata and padding weigh more in a small file.
      expect(Math.abs(precisions.q8.convertedBytes - written) / written).toBeLessThan(0.05);
    }
  });

  test('what is wrong with it is reported by the names of its own checkpoint', async () => {
    const at = await temporaryFolder();
    await cp(join(cases, 'qwen2/checkpoint'), at(), { recursive: true });
    await rename(at('model.safetensors'), (name) => name.replace('layers.0.mlp.up_proj', 'layers.0.mlp.other'));
    const [missing, unexpected] = ['up_proj', 'other'].map((name) => `model.layers.0.mlp.${name}.weight`);
    expect(await report(at())).toMatchObject({
      exitCode: 1,
      missing: [missing],
      unexpected: [unexpected],
      runs: [],
      unsupported: [{ code: 'MISSING_WEIGHT', message: expect.stringContaining('up_proj') }],
    });
    await writeFile(at('config.json'), JSON.stringify({ model_type: 'mamba' }));
    expect(await report(at())).toMatchObject({
      exitCode: 1,
      unsupported: [{ code: 'UNSUPPORTED_ARCHITECTURE', message: expect.stringContaining('mamba') }],
    });
  });

  test('an adapter is checked with it', async () => {
    const adapter = (name: string): string => join(cases, 'values/adapters', name, 'adapter-1');
    const folder = join(cases, 'llama/checkpoint');
    expect(await report(folder, '--adapter', adapter('llama-patterns'))).toMatchObject({ exitCode: 0 });
    expect(await report(folder, '--adapter', adapter('gpt2-conv1d'))).toMatchObject({
      exitCode: 1,
      unsupported: [{ code: 'MISSING_WEIGHT' }],
    });
  });
});

describe('a checkpoint that does not run', () => {
  const broken: [what: string, code: string, breakIt: (at: (name?: string) => string) => Promise<unknown>][] = [
    [
      'an unknown model type',
      'UNSUPPORTED_ARCHITECTURE',
      (at) => editConfig(at, (config) => ({ ...config, model_type: 'llava' })),
    ],
    [
      'another language model',
      'UNSUPPORTED_ARCHITECTURE',
      (at) => editConfig(at, (config) => ({ ...config, text_config: { model_type: 'mamba' } })),
    ],
    [
      'a configuration of more layers',
      'MISSING_WEIGHT',
      (at) =>
        editConfig(at, (config) => ({
          ...config,
          vision_config: { ...Object(config['vision_config']), num_hidden_layers: 7 },
        })),
    ],
    [
      'a configuration of other widths',
      'SHAPE_MISMATCH',
      (at) =>
        editConfig(at, (config) => ({ ...config, text_config: { ...Object(config['text_config']), ffn_dim: 512 } })),
    ],
    ['a configuration that is not JSON', 'INVALID_CONFIG', (at) => writeFile(at('config.json'), '{')],
    ['truncated weights', 'INVALID_CHECKPOINT', (at) => truncate(at('model.safetensors'), 100_000)],
    [
      'weights as .bin only',
      'MISSING_FILE',
      (at) => cp(at('model.safetensors'), at('pytorch_model.bin')).then(() => rm(at('model.safetensors'))),
    ],
    [
      'a tokenizer.json that links out of the folder',
      'UNSAFE_PATH',
      async (at) => {
        await rm(at('tokenizer.json'));
        await symlink(join(import.meta.dirname, 'inspect.test.ts'), at('tokenizer.json'));
      },
    ],
    ['no tokenizer.json', 'MISSING_FILE', (at) => rm(at('tokenizer.json'))],
  ];
  test.each(broken)('%s is reported as %s, exit code 1', async (_what, code, breakIt) => {
    const at = await demoCopy();
    await breakIt(at);
    const { exitCode, stdout, stderr } = await runFake(['inspect', at(), '--json']);
    expect(exitCode).toBe(1);
    const report = JSON.parse(stdout);
    expect(report.runs).toEqual([]);
    expect(report.unsupported).toEqual([{ code, message: expect.any(String) }]);
    expect(stderr).toBe(`${code}: ${report.unsupported[0].message}\n`);
  });

  test('a folder that does not exist: one error, nothing on stdout', async () => {
    const at = await temporaryFolder();
    expect(await runFake(['inspect', join(at(), 'nowhere')])).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringMatching(/^MISSING_FILE: .*\n$/),
    });
  });
});
