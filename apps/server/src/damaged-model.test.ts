import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  base64,
  chat,
  dataUrl,
  type DemoServer,
  leftOf,
  MATCH_MODEL,
  startDemoServer,
  TEXT_MODEL,
} from './fixtures/demo-server.ts';

const FLOAT16_NAN = [0x00, 0x7e];
let scratch = '';
let server: DemoServer;

/** Copies a checkpoint; the first element of one tensor becomes NaN. */
async function copyDamaged({ name, source }: typeof TEXT_MODEL, tensor: string): Promise<typeof TEXT_MODEL> {
  const folder = join(scratch, name);
  await cp(source, folder, { recursive: true });
  const file = join(folder, 'model.safetensors');
  const bytes = await readFile(file);
  const headerBytes = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Record<string, { data_offsets: number[] }>;
  bytes.set(FLOAT16_NAN, 8 + headerBytes + header[tensor]!.data_offsets[0]!);
  await writeFile(file, bytes);
  return { name, source: folder };
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-server-damaged-'));
  const models = [
    await copyDamaged(TEXT_MODEL, 'vision_model.encoder.layers.0.layer_norm1.bias'),
    await copyDamaged(MATCH_MODEL, 'vision_projection.bias'),
  ];
  server = await startDemoServer({ models });
});
afterAll(async () => {
  await server.close();
  await rm(scratch, { recursive: true });
});

const pixels = {
  name: 'pixel_values',
  shape: [1, 3, 64, 64],
  datatype: 'FP32',
  data: new Array<number>(12_288).fill(0.5),
};
const choice = { type: 'choice', instructions: 'what is it?', choices: [{ value: 'a' }, { value: 'b' }] };
const input = [{ role: 'user', content: [{ type: 'input_image', image_url: dataUrl(leftOf) }] }];

test.each<[string, object]>([
  ['/v1/chat/completions', chat(leftOf)],
  ['/v1/embeddings', { model: 'itm', input: [{ image: base64(leftOf) }] }],
  ['/v1/decisions', { model: 'opt', input, questions: [choice] }],
  ['/v1/decisions', { model: 'itm', input, questions: [choice] }],
  ['/api/generate', { model: 'opt', prompt: '', images: [base64(leftOf)], stream: false }],
  ['/v2/models/opt/infer', { inputs: [pixels], outputs: [{ name: 'vision' }] }],
  ['/v2/models/opt/infer', { inputs: [pixels], outputs: [{ name: 'projection' }] }],
])('a NaN in the weights is the answer of no route: %s %j', async (path, body) => {
  const answer = await server.post(path, body);
  expect(answer.status).toBe(500);
  expect(JSON.stringify(answer.body)).toContain('NOT_FINITE');
});
