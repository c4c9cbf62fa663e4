import type { RowTarget } from '@blip2/tables';

import { openOutput, type OpenSettings } from './opened-output.ts';
import { outputTarget } from './output-target.ts';
import { writeFailed } from './write-failed.ts';

/**
 * An output as the destination of a writer of `@blip2/tables`: with the rules of every output (links, permissions,
 * pipes). Failures are `WRITE_FAILED`.
 */
export function rowTarget(file: string, settings: OpenSettings): () => Promise<RowTarget> {
  const named = <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: unknown) => {
      throw writeFailed(file, cause);
    });
  return async () => {
    const { write, rewrite, commit, discard } = await named(outputTarget(file).then((to) => openOutput(to, settings)));
    return {
      write: (content) => named(write(content)),
      rewrite: (start) => named(rewrite(start)),
      commit: () => named(commit()),
      discard,
    };
  };
}
