import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  openCheckpoint,
  readTensor,
  storedTensorSource,
  type TensorSource,
  tensorSource,
  writeSafetensors,
} from '@blip2/checkpoint';
import type { StoredTensor } from '@blip2/interfaces';

/**
 * What LAVIS calls the parts of a path, in the order in which they are replaced. Written down apart from the library's
 * own map, and the other way round.
 */
const RENAMED: readonly (readonly [huggingFace: RegExp, lavis: string])[] = [
  [/^vision_model\.embeddings\.class_embedding$/, 'visual_encoder.cls_token'],
  [/^vision_model\.embeddings\.position_embedding$/, 'visual_encoder.pos_embed'],
  [/^vision_model\.embeddings\.patch_embedding/, 'visual_encoder.patch_embed.proj'],
  [/^vision_model\.post_layernorm/, 'ln_vision'],
  [/^vision_model\.encoder\.layers/, 'visual_encoder.blocks'],
  [/\.layer_norm(\d)\./, '.norm$1.'],
  [/\.self_attn\.(?=(?:qkv|projection)\.)/, '.attn.'],
  [/\.attn\.projection\./, '.attn.proj.'],
  [/^qformer\.layernorm/, 'Qformer.bert.embeddings.LayerNorm'],
  [/^embeddings\./, 'Qformer.bert.embeddings.'],
  [/^qformer\.encoder/, 'Qformer.bert.encoder'],
  [/(?<=Qformer\..*)attention\.attention\./, 'attention.self.'],
  [/^vision_projection/, 'vision_proj'],
  [/^text_projection/, 'text_proj'],
];

export interface LavisCopy extends AsyncDisposable {
  readonly folder: string;
}

/**
 * A model folder with its weights under the names of LAVIS, for a language model that LAVIS calls `language` (`opt`,
 * `t5`). With `only`, the tensors of those
 * beginnings alone. The biases of the keys, which LAVIS does not have, are lost: they move all scores of a query alike
 * and do not count.
 */
export async function copyAsLavis(
  checkpoint: string,
  { language = 'opt', only }: { readonly language?: string; readonly only?: RegExp } = {},
): Promise<LavisCopy> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-lavis-copy-'));
  for (const name of await readdir(checkpoint))
    if (!name.startsWith('model')) await cp(join(checkpoint, name), join(folder, name), { recursive: true });
  const { tensors } = await openCheckpoint(checkpoint);
  const sources = (await Promise.all([...tensors.values()].map((tensor) => renamed(tensor, language)))).flat();
  const training = tensorSource('temp', { type: 'float32', dims: [1], data: Float32Array.of(0.07) });
  await writeSafetensors(join(folder, 'model.safetensors'), [
    ...sources.filter(({ name }) => only?.test(name) ?? true),
    training,
  ]);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

async function renamed(tensor: StoredTensor, language: string): Promise<TensorSource[]> {
  const name = RENAMED.reduce((path, [huggingFace, lavis]) => path.replace(huggingFace, lavis), tensor.name)
    .replace(/^language_projection/, `${language}_proj`)
    .replace(/^language_model/, `${language}_model`);
  if (!name.endsWith('.attn.qkv.bias')) return [storedTensorSource(tensor, name)];
  const { data } = await readTensor(tensor);
  const size = data.length / 3;
  const half = (kind: string, begin: number): TensorSource =>
    tensorSource(name.replace('qkv.bias', `${kind}_bias`), {
      type: 'float32',
      dims: [size],
      data: data.slice(begin, begin + size),
    });
  return [half('q', 0), half('v', 2 * size)];
}
