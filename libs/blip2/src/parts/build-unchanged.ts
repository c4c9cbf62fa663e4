import { buildFrom } from '../lifetime/disposal-stack.ts';
import type { CheckpointParts } from './checkpoint-parts.ts';

/**
 * Builds a model from the parts of a checkpoint and its other files, which are read at different times. The parts are
 * disposed of if that fails.
 * @throws Blip2Error `MODEL_CHANGED` if a file changed meanwhile.
 */
export async function buildUnchanged<P extends Pick<CheckpointParts, 'requireUnchanged'> & AsyncDisposable, T>(
  parts: P,
  build: (parts: P) => T | Promise<T>,
): Promise<T> {
  return buildFrom(parts, async () => {
    const built = await build(parts);
    await parts.requireUnchanged();
    return built;
  });
}
