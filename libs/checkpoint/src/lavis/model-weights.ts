import { commonFolder } from '@blip2/files';
import type { StoredTensor, WeightStore } from '@blip2/interfaces';

import { type Checkpoint, openCheckpoint } from '../model-folder/open-checkpoint.ts';
import { refuseWrapped } from '../model-folder/refuse-wrapped.ts';
import { createTemporaryWeights } from '../model-folder/temporary-weights.ts';
import { readTensor } from '../safetensors/read-tensor.ts';
import { type TensorSource, tensorSource } from '../safetensors/tensor-source.ts';
import { type CheckpointOrigin, checkpointOrigin, lavisNameMap, splitBias } from './parameter-names.ts';

/** The weights of a model folder under the parameter names of the Hugging Face layout. */
export interface ModelWeights extends WeightStore, AsyncDisposable {
  /** Origin of the names in the files. */
  readonly origin: CheckpointOrigin;
  /** Absolute paths of the checkpoint's files, with links resolved. */
  readonly files: readonly string[];
}

/**
 * Opens a model folder and maps LAVIS parameter names to the Hugging Face layout. Tensors stay in their files. Only the
 * query and value biases, which the Hugging Face layout joins, are copied to a temporary file (a few kB per layer),
 * which is deleted with the result. Biases whose joined name `isNeeded` rejects are not joined; default: all are.
 * @throws Blip2Error as `openCheckpoint`; `MISSING_WEIGHT` for weights saved out of a wrapper; `WRITE_FAILED`
 */
export async function openModelWeights(
  folder: string,
  isNeeded: (name: string) => boolean = () => true,
): Promise<ModelWeights> {
  const checkpoint = await openCheckpoint(folder);
  refuseWrapped([...checkpoint.tensors.keys()], folder);
  if (checkpointOrigin(checkpoint.tensors.keys()) === 'lavis') return renameLavis(checkpoint, isNeeded);
  const { tensors, files } = checkpoint;
  return { origin: 'huggingface', folder: checkpoint.folder, tensors, files, [Symbol.asyncDispose]: async () => {} };
}

interface QueryAndValueBias {
  q?: StoredTensor;
  v?: StoredTensor;
}

async function renameLavis(checkpoint: Checkpoint, isNeeded: (name: string) => boolean): Promise<ModelWeights> {
  const toHuggingFace = lavisNameMap([...checkpoint.tensors.keys()]);
  const tensors = new Map<string, StoredTensor>();
  const biases = new Map<string, QueryAndValueBias>();
  for (const tensor of checkpoint.tensors.values()) {
    const bias = splitBias(tensor.name);
    if (bias) biases.set(bias.joined, { ...biases.get(bias.joined), [bias.projection]: tensor });
    else {
      const name = toHuggingFace(tensor.name);
      tensors.set(name, { ...tensor, name });
    }
  }
  const joined: TensorSource[] = [];
  for (const [name, { q, v }] of biases) {
    // One of the two alone is not a bias: it keeps its name, and the joined bias is missing.
    if (q && v && isNeeded(name)) joined.push(await joinBias(name, q, v));
    else for (const bias of [q, v]) if (bias) tensors.set(bias.name, bias);
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

/** Joins `[q, 0, v]`: keys have no bias in EVA's attention. */
async function joinBias(name: string, q: StoredTensor, v: StoredTensor): Promise<TensorSource> {
  const [queries, values] = [(await readTensor(q)).data, (await readTensor(v)).data];
  const data = new Float32Array(2 * queries.length + values.length);
  data.set(queries);
  data.set(values, 2 * queries.length);
  return tensorSource(name, { type: 'float32', dims: [data.length], data });
}
