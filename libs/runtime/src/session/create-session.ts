import { join } from 'node:path';

import { requireUnchangedInPlace, requireVersions } from '@blip2/files';
import {
  Blip2Error,
  defined,
  messageOf,
  type OnnxModel,
  type Session,
  type SessionFactory,
  type SessionOptions,
  type Signature,
} from '@blip2/interfaces';

import { expectDevice } from '../onnxruntime/devices.ts';
import {
  loadOnnxRuntime,
  type OnnxRuntime,
  type OnnxRuntimeSession,
  type OnnxRuntimeSessionOptions,
} from '../onnxruntime/onnx-runtime.ts';
import { hasExactByteProducts } from '../onnxruntime/processor-features.ts';
import { commonSettings, SPIN_MICROSECONDS } from '../onnxruntime/session-settings.ts';
import { needsChildProcess } from '../onnxruntime/silence-telemetry.ts';
import { externalBytes } from '../prepacked/external-data.ts';
import { prepackedFiles } from '../prepacked/prepacked-files.ts';
import { PREPACKED_GRAPH, PREPACKED_WEIGHTS } from '../prepacked/prepacked-manifest.ts';
import { openPrepacked, type SessionOpeners } from '../prepacked/prepacked-session.ts';
import type { RunnableSession } from '../prepacked/recorded-run.ts';
import { defaultThreads } from '../threads/default-threads.ts';
import { runNative } from '../worker/exit-guard.ts';
import { checkedFeeds, plainOutputs } from './tensors.ts';

/** Milliseconds for which a look at the mapped files holds. */
const CHECK_INTERVAL = 1_000;

/**
 * Loads a graph into onnxruntime. Its weights are mapped in place. Runs are synchronous inside onnxruntime: they block
 * the calling thread. In a thread in which onnxruntime must not be loaded, the graph is loaded in a child process.
 *
 * @throws Blip2Error `SESSION_FAILED` if onnxruntime rejects the graph or a run.
 * @throws Blip2Error `SHAPE_MISMATCH` or `INVALID_ARGUMENT` for inputs that do not match the signature.
 * @throws Blip2Error `MODEL_CHANGED` if a weight file was changed after its header was read.
 * @throws Blip2Error `DISPOSED` if the session is run after its disposal.
 * @throws Blip2Error `UNSUPPORTED_DEVICE` for an execution provider that does not work on this machine.
 */
export const createSession: SessionFactory = async <S extends Signature>(
  model: OnnxModel<S>,
  options: SessionOptions = {},
): Promise<Session<S>> => {
  if (needsChildProcess()) return (await import('./remote-session.ts')).createRemoteSession(model, options);
  if (options.device !== undefined) await expectDevice(options.device);
  const runtime = await loadOnnxRuntime();
  const session = await openSession(runtime, model, options);
  let released: Promise<void> | undefined;
  let checkedAt = -Infinity;
  return {
    async run(inputs) {
      if (released) throw disposed(model);
      const feeds = checkedFeeds(runtime, model, inputs);
      try {
        const outputs = plainOutputs(await runNative(() => session.run(feeds)), model.signature);
        if (performance.now() - checkedAt >= CHECK_INTERVAL) {
          await requireUnchangedInPlace(model.weightFiles ?? []);
          checkedAt = performance.now();
        }
        return outputs;
      } catch (cause) {
        if (cause instanceof Blip2Error) throw cause;
        // onnxruntime starts a run one turn of the event loop later, when the session may have been released.
        throw released ? disposed(model) : sessionFailed(model, 'onnxruntime could not run the graph', cause);
      }
    },
    async settle() {
      if (!released) await session.settle?.();
    },
    async [Symbol.asyncDispose]() {
      released ??= runNative(() => session.release());
      await released;
    },
  };
};

async function openSession(runtime: OnnxRuntime, model: OnnxModel, given: SessionOptions): Promise<RunnableSession> {
  const graph = model.serialize({ activationBits: hasExactByteProducts() ? 8 : 7 });
  const options = await withThreads(given, graph);
  const open = async (prepack: boolean, folder?: string): Promise<OnnxRuntimeSession> =>
    withUnchangedWeights(model, () =>
      runNative(() => runtime.InferenceSession.create(graph, sessionOptions(model, options, prepack, folder))).catch(
        (cause: unknown) => {
          if (cause instanceof Blip2Error) throw cause;
          throw sessionFailed(model, 'onnxruntime could not load the graph', cause);
        },
      ),
    );
  // Other devices prepack differently or not at all.
  if (!model.prepack || (options.device ?? 'cpu') !== 'cpu') return open(model.prepack !== undefined);
  const openers: SessionOpeners = {
    plain: () => open(false),
    prepacked: (folder) => open(true, folder),
    saved: (graphFile) =>
      withUnchangedWeights(model, () =>
        runNative(() => runtime.InferenceSession.create(graphFile, savedOptions(options))),
      ),
    copy: ({ type, data, dims }) => new runtime.Tensor(type, data.slice() as never, dims),
  };
  return openPrepacked(model.prepack, prepackedFiles(model, graph), openers, options.repeated);
}

/**
 * Opens a session while the weight files are the versions that the graph was built for.
 *
 * @throws Blip2Error `MODEL_CHANGED`
 */
async function withUnchangedWeights<T extends RunnableSession>(
  { weightFiles = [] }: OnnxModel,
  open: () => Promise<T>,
): Promise<T> {
  await requireVersions(weightFiles);
  const session = await open();
  try {
    await requireVersions(weightFiles);
    return session;
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** Adds the default number of threads on the CPU, unless one is given. */
async function withThreads(options: SessionOptions, graph: Uint8Array): Promise<SessionOptions> {
  if (options.threads !== undefined || (options.device ?? 'cpu') !== 'cpu') return options;
  const choice = await defaultThreads({ weightBytes: () => externalBytes(graph) });
  return { ...options, ...defined({ threads: choice?.[options.phase ?? 'encoder'] }) };
}

/** Options of a session that optimizes its graph. If a folder is given, graph and prepacked weights are saved there. */
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
    // Keys of onnxruntime's `session.*` settings.
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

/** Options of a session over a saved graph, which is already optimized. */
function savedOptions(options: SessionOptions): OnnxRuntimeSessionOptions {
  return {
    ...commonSettings(options),
    graphOptimizationLevel: 'disabled',
    extra: { session: { 'intra_op.spin_duration_us': SPIN_MICROSECONDS } },
  };
}

function disposed({ name }: OnnxModel): Blip2Error {
  return new Blip2Error('DISPOSED', 'This session has been disposed', { where: name });
}

function sessionFailed({ name, weightsFolder }: OnnxModel, message: string, cause: unknown): Blip2Error {
  const got = messageOf(cause);
  return new Blip2Error('SESSION_FAILED', message, {
    where: weightsFolder === undefined ? name : `${name}, weights in ${weightsFolder}`,
    got,
    cause,
  });
}
