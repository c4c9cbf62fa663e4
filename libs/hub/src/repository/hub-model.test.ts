import { expect, test } from 'vitest';

import { parseHubModel } from './hub-model.ts';

const COMMIT = '0123456789'.repeat(4);
const id = 'Salesforce/blip2-opt-2.7b';

test.each<[string, string | undefined]>([
  [id, undefined],
  [`${id}@refs/pr/1`, 'refs/pr/1'],
  [`${id}@${COMMIT}`, COMMIT],
  [`https://huggingface.co/${id}`, undefined],
  [`https://huggingface.co/${id}/`, undefined],
  [`https://huggingface.co/${id}?library=transformers#usage`, undefined],
  [`https://huggingface.co/${id}.git`, undefined],
  [`http://www.huggingface.co/${id}/tree/main`, 'main'],
  [`https://huggingface.co/${id}/tree/refs/pr/12`, 'refs/pr/12'],
  [`https://huggingface.co/${id}/tree/refs%2Fpr%2F12`, 'refs/pr/12'],
  [`https://huggingface.co/${id}/commit/${COMMIT}`, COMMIT],
  [`https://huggingface.co/${id}/blob/v1.0/config.json`, 'v1.0'],
  [`https://huggingface.co/${id}/resolve/main/model.safetensors?download=true`, 'main'],
  [`huggingface.co/${id}`, undefined],
  [`hf.co/${id}`, undefined],
  [`hf://${id}@v1.0`, 'v1.0'],
  [`hf://models/${id}`, undefined],
  [`https://mirror.example/hf/${id}/tree/v2`, 'v2'],
])('%s names a model', (source, revision) => {
  expect(parseHubModel(source, 'https://mirror.example/hf')).toEqual(
    revision === undefined ? { id } : { id, revision },
  );
});

test.each(['./model', '/models/blip2', 'a/b/c', 'C:\\models', 'model folder', '', '../x@main'])(
  '%j is a path',
  (source) => {
    expect(parseHubModel(source)).toBeUndefined();
  },
);

test.each([
  'https://example.com/owner/name',
  'https://huggingface.co/datasets/owner/name',
  'https://huggingface.co/spaces/owner/name',
  'https://huggingface.co/',
  `https://huggingface.co/${id}/tree/main/onnx`,
  `https://huggingface.co/${id}/discussions/3`,
  'user@host:/model',
  `https://huggingface.co/${id}/tree/%zz`,
  `hf://datasets/owner/name`,
  'hf://',
  `${id}@`,
  `${id}@../../x`,
])('%s is refused', (source) => {
  expect(() => parseHubModel(source)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});
