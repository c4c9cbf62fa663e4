import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { Blip2Config, formatConfig, readConfig, writeConfig } from './index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('readConfig', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['an empty file', '', 'INVALID_CONFIG'],
    ['half a file', '{"a":', 'INVALID_CONFIG'],
    ['bytes that are not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'INVALID_CONFIG'],
    ['a huge file', ' '.repeat(2 ** 20 + 1), 'INVALID_CONFIG'],
  ])('rejects %s', async (_, content, code) => {
    await writeFile(join(folder, 'config.json'), content);
    await expect(readConfig(folder)).rejects.toMatchObject({ code, message: expect.stringContaining('config.json') });
  });

  test('reports missing files', async () => {
    await expect(readConfig(folder)).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await expect(readConfig(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await mkdir(join(folder, 'config.json'));
    await expect(readConfig(folder)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });

  test('names the base model of an adapter, and how to load it', async () => {
    const adapter = join(folder, 'adapter');
    await mkdir(adapter);
    await writeFile(join(adapter, 'adapter_config.json'), '{"peft_type":"LORA","base_model_name_or_path":"a/b"}');
    const expected = {
      code: 'MISSING_FILE',
      message: expect.stringMatching(/contains an adapter.*LORA of a\/b.*in adapters/),
      details: { subject: 'a/b' },
    };
    await expect(readConfig(adapter)).rejects.toMatchObject(expected);
    await writeFile(join(adapter, 'config.json'), '{"model_type":"blip-2"}');
    await expect(readConfig(adapter)).rejects.toMatchObject(expected);
    await writeFile(join(adapter, 'model.safetensors'), '');
    expect(await readConfig(adapter)).toEqual({ model_type: 'blip-2' });
  });

  test('names the last checkpoint of a training run', async () => {
    await mkdir(join(folder, 'run', 'checkpoint-500'), { recursive: true });
    await mkdir(join(folder, 'run', 'checkpoint-1000'));
    await expect(readConfig(join(folder, 'run'))).rejects.toMatchObject({
      code: 'MISSING_FILE',
      details: { fix: expect.stringContaining(join('run', 'checkpoint-1000')) },
    });
  });

  test('follows links within the folder and within one cache, and no others', async () => {
    const model = join(folder, 'model'),
      snapshot = join(folder, 'hub/models--o--n/snapshots/abc'),
      blobs = join(folder, 'hub/models--o--n/blobs');
    await Promise.all([model, snapshot, blobs].map((path) => mkdir(path, { recursive: true })));
    await writeFile(join(folder, 'secret.json'), '{"secret":1}');
    await symlink('../secret.json', join(model, 'config.json'));
    await expect(readConfig(model)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    await writeFile(join(blobs, 'f00'), '{"num_query_tokens":3}');
    await symlink('../../blobs/f00', join(snapshot, 'config.json'));
    expect(await readConfig(snapshot)).toEqual({ num_query_tokens: 3 });
    await rm(join(snapshot, 'config.json'));
    await symlink('../../../../secret.json', join(snapshot, 'config.json'));
    await expect(readConfig(snapshot)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
});

describe('writeConfig', () => {
  test('round trip through readConfig, with floats that HF accepts as floats', async () => {
    const json = Blip2Config.toJson(Blip2Config.create(), { full: true });
    await writeConfig(join(folder, 'new'), json);
    expect(await readConfig(join(folder, 'new'))).toEqual(json);
    expect(await readdir(join(folder, 'new'))).toEqual(['config.json']);
    expect(await readFile(join(folder, 'new/config.json'), 'utf8')).toContain('"initializer_factor": 1.0');
  });

  test('keeps numbers that are not finite in unknown fields, as Python does', async () => {
    const file = join(folder, 'python', 'config.json');
    await mkdir(join(folder, 'python'));
    await writeFile(file, '{\n  "best": NaN,\n  "range": [\n    -Infinity,\n    Infinity\n  ]\n}\n');
    const json = Blip2Config.toJson(Blip2Config.fromJson(await readConfig(join(folder, 'python'))));
    expect(json).toEqual({ best: Number.NaN, range: [-Infinity, Infinity] });
    expect(formatConfig(json)).toBe(await readFile(file, 'utf8'));
  });

  test('sorts keys and writes integers as integers', () => {
    expect(formatConfig({ b: [1, { init_std: 1 }], a: 2, empty: {}, none: [] })).toBe(
      '{\n  "a": 2,\n  "b": [\n    1,\n    {\n      "init_std": 1.0\n    }\n  ],\n  "empty": {},\n  "none": []\n}\n',
    );
  });

  test('reports files that cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(writeConfig(join(folder, 'file'), {})).rejects.toMatchObject({ code: 'WRITE_FAILED' });
  });
});
