import type { SessionOptions } from '@blip2/interfaces';

import type { OnnxRuntimeSessionOptions } from './onnx-runtime.ts';

/**
 * Microseconds for which idle threads of a session spin: longer than the pause between two operators, shorter than that
 * between two parts (measurements in docs/performance.md).
 */
export const SPIN_MICROSECONDS = '1000';

/** Settings of every session. */
export function commonSettings({ threads, device = 'cpu' }: SessionOptions): OnnxRuntimeSessionOptions {
  return {
    executionProviders: [device],
    executionMode: 'sequential',
    // Shapes change from run to run, so a recorded allocation pattern never fits.
    enableMemPattern: false,
    // Errors are thrown, so onnxruntime need not print them.
    logSeverityLevel: 4,
    ...(threads !== undefined && { intraOpNumThreads: threads }),
  };
}
