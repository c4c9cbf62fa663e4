import type { OnnxRuntimeSession, OnnxRuntimeTensor } from '../onnxruntime/onnx-runtime.ts';

/** The members of an onnxruntime session that a loaded graph uses. */
export interface RunnableSession extends Pick<OnnxRuntimeSession, 'run' | 'release'> {
  /** Does ahead what would delay the second run. Does nothing before the first run. */
  settle?(): Promise<void>;
}
export type TensorMap = Readonly<Record<string, OnnxRuntimeTensor>>;

/** A run to be repeated, with copies of its inputs and outputs, since the caller may overwrite either. */
export interface RecordedRun {
  readonly feeds: TensorMap;
  readonly results: TensorMap;
}

/** Runs a session once and records the run. `copy` copies a tensor with its elements. */
export async function recordedRun(
  session: RunnableSession,
  feeds: TensorMap,
  copy: (tensor: OnnxRuntimeTensor) => OnnxRuntimeTensor,
): Promise<RecordedRun & { readonly returned: TensorMap }> {
  const copies = copyAll(feeds, copy);
  const returned = await session.run(feeds);
  return { feeds: copies, results: copyAll(returned, copy), returned };
}

/**
 * Whether a session returns exactly the elements of a recorded run. There is no tolerance: integer products are summed
 * exactly, and float products were found to be summed in the same order with and without prepacking. NaN never matches.
 */
export async function repeatsRun(session: RunnableSession, { feeds, results }: RecordedRun): Promise<boolean> {
  const repeated: TensorMap = await session.run(feeds);
  return Object.entries(results).every(([name, expected]) => sameTensor(repeated[name], expected));
}

function copyAll(tensors: TensorMap, copy: (tensor: OnnxRuntimeTensor) => OnnxRuntimeTensor): TensorMap {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, copy(tensor)]));
}

function sameTensor(got: OnnxRuntimeTensor | undefined, { dims, data }: OnnxRuntimeTensor): boolean {
  if (!got || got.dims.join() !== dims.join() || got.data.length !== data.length) return false;
  for (let i = 0; i < data.length; i++) if (got.data[i] !== data[i]) return false;
  return true;
}
