import type * as ort from 'onnxruntime-node';

import { runNative } from '../worker/exit-guard.ts';
import { silenceTelemetry } from './silence-telemetry.ts';

export type OnnxRuntime = typeof ort;
export type OnnxRuntimeSession = ort.InferenceSession;
export type OnnxRuntimeSessionOptions = ort.InferenceSession.SessionOptions;
export type OnnxRuntimeTensor = ort.Tensor;

let runtime: Promise<OnnxRuntime> | undefined;

/** Loads onnxruntime on first use, since importing it takes longer than starting Node. */
export function loadOnnxRuntime(): Promise<OnnxRuntime> {
  silenceTelemetry();
  runtime ??= runNative(() => import('onnxruntime-node'));
  return runtime;
}
