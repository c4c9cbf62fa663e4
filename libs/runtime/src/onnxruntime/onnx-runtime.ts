import type * as ort from 'onnxruntime-node';

import { silenceTelemetry } from './silence-telemetry.ts';

export type OnnxRuntime = typeof ort;
export type OnnxRuntimeSession = ort.InferenceSession;
export type OnnxRuntimeSessionOptions = ort.InferenceSession.SessionOptions;
export type OnnxRuntimeTensor = ort.Tensor;

let runtime: Promise<OnnxRuntime> | undefined;

/** Loads the native runtime when it is first needed: importing it takes longer than starting Node. */
export function loadOnnxRuntime(): Promise<OnnxRuntime> {
  silenceTelemetry();
  runtime ??= import('onnxruntime-node');
  return runtime;
}
