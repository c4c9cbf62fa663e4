import { commonFolder } from '@blip2/files';
import type { StoredTensor, WeightStore } from '@blip2/interfaces';

import { type Checkpoint, openCheckpoint } from '../model-folder/open-checkpoint.ts';
import { createTemporaryWeights } from '../model-folder/temporary-weights.ts';
import { readTensor } from '../safetensors/read-tensor.ts';
import { type TensorSource, tensorSource } from '../safetensors/tensor-source.ts';
import { type CheckpointOrigin, checkpointOrigin, halfBias, lavisNameMap } from './parameter-names.ts';

/** The weights of a model folder under the names of the Hugging Face layout, whichever names the files have. */
export interface ModelWeights extends WeightStore, AsyncDisposable {
  readonly origin: CheckpointOrigin;
  /** Of the checkpoint: absolute paths, links resolved. */
  readonly files: readonly string[];
}

/**
 * Opens a model folder as `openCheckpoint` does. Those of LAVIS appear under the names of the Hugging Face layout;
 * tensors lie where they lay, but the biases of
 * queries and values, which are two there and one here: these some kilobytes per layer are written into a temporary
 * file that goes away with the result.
 * `wanted` says for which names that is worth it; default all.
 */
export async function openModelWeights(
  folder: string,
  wanted: (name: string) => boolean = () => true,
): Promise<ModelWeights> {
  const checkpoint = await openCheckpoint(folder);
  if (checkpointOrigin(checkpoint.tensors.keys()) === 'lavis') return renameLavis(checkpoint, wanted);
  const { tensors, files } = checkpoint;
  return { origin: 'huggingface', folder: checkpoint.folder, tensors, files, [Symbol.asyncDispose]: async () => {} };
}

interface BiasHalves {
  q?: StoredTensor;
  v?: StoredTensor;
}

async function renameLavis(checkpoint: Checkpoint, wanted: (name: string) => boolean): Promise<ModelWeights> {
  const toHuggingFace = lavisNameMap([...checkpoint.tensors.keys()]);
  const tensors = new Map<string, StoredTensor>();
  const biases = new Map<string, BiasHalves>();
  for (const tensor of checkpoint.tensors.values()) {
    const bias = halfBias(tensor.name);
    if (bias) biases.set(bias.joined, { ...biases.get(bias.joined), [bias.half]: tensor });
    else {
      const name = toHuggingFace(tensor.name);
      tensors.set(name, { ...tensor, name });
    }
  }
  const joined: TensorSource[] = [];
  for (const [name, { q, v }] of biases) {
    // A half alone is no bias: it stays what it is, and the bias is missing.
    if (q && v && wanted(name)) joined.push(await joinBias(name, q, v));
    else for (const half of [q, v]) if (half) tensors.set(half.name, half);
  }
  const temporary = joined.length > 0 ? await createTemporaryWeights('lavis', joined) : undefined;
  for (const [name, tensor] of temporary?.tensors ?? []) tensors.set(name, tensor);
  const [first = '', ...rest] = [...checkpoint.files, ...(temporary?.files ?? [])];
  return {
    origin: 'lavis',
    folder: commonFolder([first, ...rest]),
    tensors,
    files: checkpoint.files,
    [Symbol.asyncDispose]: async () => temporary?.dispose(),
  };
}

/** `[q, 0, v]`: the keys of EVA's attention have no bias. */
async function joinBias(name: string, q: StoredTensor, v: StoredTensor): Promise<TensorSource> {
  const [queries, values] = [(await readTensor(q)).data, (await readTensor(v)).data];
  const data = new Float32Array(2 * queries.length + values.length);
  data.set(queries);
  data.set(values, 2 * queries.length);
  return tensorSource(name, { type: 'float32', dims: [data.length], data });
}
