import type { OnnxRuntimeSession, OnnxRuntimeTensor } from '../onnxruntime/onnx-runtime.ts';

/** What a loaded graph needs of a session of the runtime. */
export type RunnableSession = Pick<OnnxRuntimeSession, 'run' | 'release'>;
export type TensorMap = Readonly<Record<string, OnnxRuntimeTensor>>;

/** A run to be repeated: copies of what went in and came out, as a caller may write into either afterwards. */
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
 * Whether a session returns the very elements of a recorded run. Products of integers are summed exactly, and those
 * of floats were found to be summed in one order, prepacked or not; so there is no tolerance. NaN equals nothing.
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
