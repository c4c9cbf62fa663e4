import { mustBe } from '@blip2/interfaces';

import { movedFile } from '../../output/moved-file.ts';
import { npyFile } from '../../output/npy-file.ts';
import { expectWritable } from '../../output/output-path.ts';
import type { OutputRequest } from '../../output/output-request.ts';
import { outputTarget } from '../../output/output-target.ts';
import type { ResultSink } from '../../output/result-sink.ts';
import { writeFailed } from '../../output/write-failed.ts';
import { resultsOf } from '../../tables/table.ts';
import { embeddingOf, type NamedEmbedding } from './embedding-json.ts';

/** Upper bound on named tensors: a header of the size that readers accept holds about this many names. */
const MAX_NAMED_TENSORS = 100_000;

/**
 * Opens a file of arrays for the JSON lines of embeddings: `.npy` holds one array `[inputs, …shape]`, `.safetensors`
 * one tensor per input (named `path | text` for a pair), kept in memory until the end. The file has a temporary name
 * until it is complete. Inputs that failed are left out.
 * @throws Blip2Error `INVALID_ARGUMENT` if there are too many tensors; from `write`, if shapes in an array differ.
 */
export async function openTensorFile(
  file: string,
  { inputs, resume: { signal } }: Pick<OutputRequest, 'inputs' | 'resume'>,
): Promise<ResultSink> {
  await expectWritable(file);
  if (/\.safetensors$/i.test(file) && inputs.length > MAX_NAMED_TENSORS)
    throw mustBe('The number of tensors in a file', `at most ${MAX_NAMED_TENSORS}`, inputs.length, {
      where: file,
      fix: 'Write .npy, .parquet or .jsonl',
    });
  return /\.npy$/i.test(file) ? arraySink(file, signal) : namedTensorsSink(file, signal);
}

function arraySink(file: string, signal: AbortSignal | undefined): ResultSink {
  const array = npyFile(file, signal);
  return {
    done: new Map(),
    resumable: false,
    async write(lines) {
      for (const { name, ...embedding } of resultsOf(lines).map(embeddingOf)) await array.append(name, embedding);
    },
    close: (outcome) => (outcome === 'failed' ? array.discard() : array.finish()),
  };
}

function namedTensorsSink(file: string, signal: AbortSignal | undefined): ResultSink {
  // An input that is passed twice is one tensor.
  const tensors = new Map<string, NamedEmbedding>();
  return {
    done: new Map(),
    resumable: false,
    async write(lines) {
      for (const embedding of resultsOf(lines).map(embeddingOf)) tensors.set(embedding.name, embedding);
    },
    async close(outcome) {
      if (outcome === 'failed' || tensors.size === 0) return;
      // Imported on use, because `--help` loads this file.
      const { tensorSource, writeSafetensors } = await import('@blip2/checkpoint');
      const moved = await movedFile(await outputTarget(file));
      try {
        await writeSafetensors(
          moved.path,
          [...tensors.values()].map(({ name, dims, data }) => tensorSource(name, { type: 'float32', dims, data })),
        );
        await moved.move(signal);
      } catch (cause) {
        throw writeFailed(file, cause);
      } finally {
        await moved.remove();
      }
    },
  };
}
