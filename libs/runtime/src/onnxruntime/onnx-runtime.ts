import type * as ort from 'onnxruntime-node';

import { runNative } from '../worker/exit-guard.ts';
import { isMainContext, requireInMainContext } from './main-context.ts';
import { silenceTelemetry } from './silence-telemetry.ts';

export type OnnxRuntime = typeof ort;
export type OnnxRuntimeSession = ort.InferenceSession;
export type OnnxRuntimeSessionOptions = ort.InferenceSession.SessionOptions;
export type OnnxRuntimeTensor = ort.Tensor;

let runtime: Promise<OnnxRuntime> | undefined;

/** In another context, its classes would differ from those of the tensors that its native code creates. */
async function loadInMainContext(): Promise<OnnxRuntime> {
  return requireInMainContext(import.meta.url, 'onnxruntime-node') as OnnxRuntime;
}

/** Loads onnxruntime on first use, since importing it takes longer than starting Node. */
export function loadOnnxRuntime(): Promise<OnnxRuntime> {
  silenceTelemetry();
  runtime ??= runNative(() => (isMainContext ? import('onnxruntime-node') : loadInMainContext()));
  return runtime;
}
