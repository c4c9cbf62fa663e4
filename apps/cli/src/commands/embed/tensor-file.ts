import { Blip2Error } from '@blip2/interfaces';

import { npyFile } from '../../output/npy-file.ts';
import { expectWritable } from '../../output/open-sink.ts';
import type { OutputRequest } from '../../output/output-request.ts';
import { resultsOf } from '../../output/result-lines.ts';
import type { ResultSink } from '../../output/result-sink.ts';
import { embeddingOf, type NamedEmbedding } from './embedding-of.ts';

/**
 * About as many names as a header of the size that readers take has room for; more would be noticed at the end of the
 * run only.
 */
const MAX_NAMED_TENSORS = 100_000;

/** Whether a file name asks for arrays instead of lines. */
export function isTensorFile(output: string | undefined): output is string {
  return output !== undefined && /\.(npy|safetensors)$/i.test(output);
}

/**
 * Takes the JSON lines of embeddings: `.npy` is one array `[inputs, …shape]`, `.safetensors` one tensor per input, by
 * its name (`path | text` for a pair), all held in memory until the end.
 * Under a temporary name until it is whole. Inputs that failed are left out. Writing fails with `INVALID_ARGUMENT` if
 * an array is to hold different shapes.
 */
export async function openTensorFile(file: string, { inputs }: Pick<OutputRequest, 'inputs'>): Promise<ResultSink> {
  await expectWritable(file);
  if (/\.safetensors$/i.test(file) && inputs.length > MAX_NAMED_TENSORS)
    throw new Blip2Error('INVALID_ARGUMENT', 'Too many tensors for one file', {
      where: file,
      expected: `at most ${MAX_NAMED_TENSORS}`,
      got: `${inputs.length}`,
      fix: 'Write .npy, .parquet or .jsonl',
    });
  return /\.npy$/i.test(file) ? arraySink(file) : namedTensorsSink(file);
}

function arraySink(file: string): ResultSink {
  const array = npyFile(file);
  return {
    done: new Set(),
    resumable: false,
    async write(lines) {
      for (const { name, ...embedding } of resultsOf(lines).map(embeddingOf)) await array.append(name, embedding);
    },
    close: (outcome) => (outcome === 'failed' ? array.discard() : array.finish()),
  };
}

function namedTensorsSink(file: string): ResultSink {
  // An input that is named twice is one tensor.
  const gathered = new Map<string, NamedEmbedding>();
  return {
    done: new Set(),
    resumable: false,
    async write(lines) {
      for (const embedding of resultsOf(lines).map(embeddingOf)) gathered.set(embedding.name, embedding);
    },
    async close(outcome) {
      if (outcome === 'failed' || gathered.size === 0) return;
      // When it is needed: `--help` loads this file too.
      const { tensorSource, writeSafetensors } = await import('@blip2/checkpoint');
      await writeSafetensors(
        file,
        [...gathered.values()].map(({ name, dims, data }) => tensorSource(name, { type: 'float32', dims, data })),
      );
    },
  };
}
