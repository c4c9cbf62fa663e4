import type { SessionOptions } from '@blip2/interfaces';

import type { OnnxRuntimeSessionOptions } from './onnx-runtime.ts';

/**
 * Longer than the pauses between two operators, shorter than those between two parts: docs/performance.md has what was
 * measured.
 */
export const SPIN_MICROSECONDS = '1000';

/** The settings that all sessions share. */
export function commonSettings({ threads, device = 'cpu' }: SessionOptions): OnnxRuntimeSessionOptions {
  return {
    executionProviders: [device],
    executionMode: 'sequential',
    // Shapes change from run to run, so a recorded allocation pattern never fits.
    enableMemPattern: false,
    // What fails is thrown; the runtime need not print it as well.
    logSeverityLevel: 4,
    ...(threads !== undefined && { intraOpNumThreads: threads }),
  };
}
