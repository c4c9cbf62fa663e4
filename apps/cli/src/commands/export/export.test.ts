import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { repository } from '../../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

test('writes the built-in demo and prints the folder', async () => {
  const folder = (await temporaryFolder())('demo-onnx');
  const { stdout, stderr, exitCode } = await runFake(['export', '-o', folder]);
  expect({ stdout, stderr, exitCode }).toEqual({ stdout: `${folder}\n`, stderr: '', exitCode: 0 });
  expect(await readdir(join(folder, 'onnx'))).toContain('decoder_model_merged.onnx');
});

test('prints one JSON object, and takes opset, operators and precision', async () => {
  const folder = (await temporaryFolder())('json');
  const { stdout } = await runFake([
    'export',
    '-o',
    folder,
    '--json',
    '--portable',
    '--opset',
    '22',
    '--dtype',
    'vision=q8',
  ]);
  const printed = JSON.parse(stdout);
  expect(printed).toMatchObject({ folder, opset: 22, portable: true, modelType: 'blip-2' });
  expect(printed.files.vision_model.file).toBe('onnx/vision_model_quantized.onnx');
  expect(JSON.parse(await readFile(join(folder, 'onnx_export.json'), 'utf8'))).toMatchObject({ opset: 22 });
});

test('needs --force for a folder with contents', async () => {
  const folder = (await temporaryFolder())('twice');
  await runFake(['export', '-o', folder]);
  const refused = await runFake(['export', '-o', folder]);
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toMatch(/^INVALID_ARGUMENT: folder .*--force/);
  expect((await runFake(['export', '-o', folder, '--force'])).exitCode).toBe(0);
});

test('takes a source per part and adapters', async () => {
  const at = await temporaryFolder();
  const opt = join(repository, 'tools/parity/cases/opt/checkpoint');
  const adapter = join(repository, 'tools/parity/cases/values/adapters/opt-blip2/adapter-1');
  const bytes = async (name: string, ...argv: readonly string[]): Promise<Record<string, Buffer>> => {
    const { exitCode, stderr } = await runFake(['export', ...argv, '-o', at(name)]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const file = (part: string): Promise<Buffer> => readFile(at(`${name}/onnx/${part}.onnx_data`));
    return { vision: await file('vision_model'), language: await file('decoder_model_merged') };
  };
  const plain = await bytes('plain', opt);
  const adapted = await bytes('adapted', opt, '--adapter', adapter);
  expect(adapted['vision']).not.toEqual(plain['vision']);
  expect(await bytes('parts', '--qformer', opt, '--vision', opt, '--language', opt, '--processor', opt)).toEqual(plain);
  expect(await bytes('mixed', '-m', opt, '--language', opt, '--adapter', adapter)).toEqual(adapted);
});

test.each<[argv: readonly string[], words: RegExp, code?: number]>([
  [['--vision', '/nowhere', '-o', 'x'], /MISSING_FILE/, 1],
  [['--adapter', '/nowhere', '-o', 'x'], /MISSING_FILE/, 1],
  [['--module', '/nowhere', '-o', 'x'], /--module/],
  [[], /--output/],
  [['-o', ''], /folder/],
  [['-o', 'x', '--opset', '17'], /opset must be an integer from 18 to 23/],
  [['-o', 'x', '--opset', 'new'], /opset/],
  [['-o', 'x', '--dtype', 'fast'], /fast/],
  [['-o', 'x', '--dtype', 'q4', '--portable', '--opset', '20'], /opset/],
  [['one', '-m', 'two', '-o', 'x'], /--model/],
  [['-o', 'x', '--quantize'], /--quantize/],
])('refuses %j', async (argv, words, code = 2) => {
  const { exitCode, stderr } = await runFake(['export', ...argv]);
  expect(exitCode).toBe(code);
  expect(stderr).toMatch(words);
  await expect(stat('x')).rejects.toThrow(/ENOENT/);
});
