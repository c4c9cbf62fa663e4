import { join } from 'node:path';

import {
  Blip2Error,
  type OnnxModel,
  type Session,
  type SessionFactory,
  type SessionOptions,
  type Signature,
} from '@blip2/interfaces';

import { expectDevice } from './devices.ts';
import {
  loadOnnxRuntime,
  type OnnxRuntime,
  type OnnxRuntimeSession,
  type OnnxRuntimeSessionOptions,
} from './onnx-runtime.ts';
import { externalBytes } from './prepacked/external-data.ts';
import { PREPACKED_GRAPH, PREPACKED_WEIGHTS, prepackedFiles } from './prepacked/prepacked-files.ts';
import { openPrepacked } from './prepacked/prepacked-session.ts';
import type { RunnableSession } from './prepacked/recorded-run.ts';
import { hasExactByteProducts } from './processor-features.ts';
import { commonSettings, SPIN_MICROSECONDS } from './session-settings.ts';
import { checkedFeeds, plainOutputs } from './tensors.ts';
import { defaultThreads } from './threads/default-threads.ts';

/**
 * Loads a written graph into onnxruntime. Its weights are mapped from the files where they lie.
 * Runs are synchronous inside the runtime: they hold the calling thread until they end.
 * @throws Blip2Error `SESSION_FAILED` if the runtime refuses the graph or a run; `DISPOSED`; `UNSUPPORTED_DEVICE` for
 * an execution provider that does not work here.
 */
export const createSession: SessionFactory = async <S extends Signature>(
  model: OnnxModel<S>,
  options: SessionOptions = {},
): Promise<Session<S>> => {
  if (options.device !== undefined) await expectDevice(options.device);
  const runtime = await loadOnnxRuntime();
  const session = await openSession(runtime, model, options);
  let released: Promise<void> | undefined;
  return {
    async run(inputs) {
      if (released) throw disposed(model);
      const feeds = checkedFeeds(runtime, model, inputs);
      try {
        return plainOutputs(await session.run(feeds), model.signature);
      } catch (cause) {
        // The runtime begins a run a turn later, when the session may be gone.
        throw released ? disposed(model) : sessionFailed(model, 'The runtime could not run a graph', cause);
      }
    },
    async [Symbol.asyncDispose]() {
      released ??= session.release();
      await released;
    },
  };
};

async function openSession(runtime: OnnxRuntime, model: OnnxModel, given: SessionOptions): Promise<RunnableSession> {
  const graph = model.serialize({ activationBits: hasExactByteProducts() ? 8 : 7 });
  const options = await withThreads(given, graph);
  const open = (prepack: boolean, folder?: string): Promise<OnnxRuntimeSession> =>
    runtime.InferenceSession.create(graph, sessionOptions(model, options, prepack, folder)).catch((cause: unknown) => {
      throw sessionFailed(model, 'The runtime could not load a graph', cause);
    });
  // Another device has other layouts, or none.
  if (!model.prepack || (options.device ?? 'cpu') !== 'cpu') return open(model.prepack !== undefined);
  return openPrepacked(model.prepack, prepackedFiles(model, graph), {
    plain: () => open(false),
    prepacked: (folder) => open(true, folder),
    saved: (kept) => runtime.InferenceSession.create(kept, savedOptions(options)),
    copy: ({ type, data, dims }) => new runtime.Tensor(type, data.slice() as never, dims),
  });
}

/** On the processor, the number of threads that suits it, unless another is given. */
async function withThreads(options: SessionOptions, graph: Uint8Array): Promise<SessionOptions> {
  if (options.threads !== undefined || (options.device ?? 'cpu') !== 'cpu') return options;
  const threads = await defaultThreads({ weightBytes: () => externalBytes(graph) });
  return threads === undefined ? options : { ...options, threads };
}

/** With a folder, the session writes its graph and its prepacked weights into it. */
function sessionOptions(
  model: OnnxModel,
  options: SessionOptions,
  prepack: boolean,
  folder: string | undefined,
): OnnxRuntimeSessionOptions {
  return {
    ...commonSettings(options),
    ...(model.optimized && { graphOptimizationLevel: 'disabled' }),
    ...(folder !== undefined && { optimizedModelFilePath: join(folder, PREPACKED_GRAPH) }),
    // Names of the runtime's `session.*` settings.
    extra: {
      session: {
        'intra_op.spin_duration_us': SPIN_MICROSECONDS,
        ...(!prepack && { disable_prepacking: '1' }),
        ...(model.weightsFolder !== undefined && { model_external_initializers_file_folder_path: model.weightsFolder }),
        ...(folder !== undefined && {
          save_external_prepacked_constant_initializers: '1',
          optimized_model_external_initializers_file_name: PREPACKED_WEIGHTS,
          optimized_model_external_initializers_min_size_in_bytes: '1024',
        }),
      },
    },
  };
}

/** For a graph that has been through the runtime before: it is not optimized twice. */
function savedOptions(options: SessionOptions): OnnxRuntimeSessionOptions {
  return {
    ...commonSettings(options),
    graphOptimizationLevel: 'disabled',
    extra: { session: { 'intra_op.spin_duration_us': SPIN_MICROSECONDS } },
  };
}

function disposed({ name }: OnnxModel): Blip2Error {
  return new Blip2Error('DISPOSED', 'This session has been released', { where: name });
}

function sessionFailed({ name, weightsFolder }: OnnxModel, what: string, cause: unknown): Blip2Error {
  const got = cause instanceof Error ? cause.message : String(cause);
  return new Blip2Error('SESSION_FAILED', what, {
    where: weightsFolder === undefined ? name : `${name}, weights in ${weightsFolder}`,
    got,
    cause,
  });
}
