import { mustBe } from '@blip2/interfaces';
import type { ArrayWriter } from '@blip2/tables';

import { movedFile } from '../../output/moved-file.ts';
import { expectWritable } from '../../output/output-path.ts';
import type { OutputRequest } from '../../output/output-request.ts';
import { outputTarget } from '../../output/output-target.ts';
import type { ResultSink } from '../../output/result-sink.ts';
import { rowTarget } from '../../output/row-target.ts';
import { writeFailed } from '../../output/write-failed.ts';
import { resultsOf } from '../../tables/table.ts';
import { embeddingOf } from './embedding-json.ts';

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
  // Imported on use, because `--help` loads this file.
  const { npyWriter, tensorsWriter } = await import('@blip2/tables');
  return arraySink(
    /\.npy$/i.test(file)
      ? sameShapes(npyWriter(rowTarget(file, { rewinds: true, signal })))
      : tensorsWriter((write) => placeFile(file, write, signal)),
  );
}

/** An array of the command, whose error says what else to write. */
function sameShapes(array: ArrayWriter): ArrayWriter {
  let shape: readonly number[] | undefined;
  return {
    ...array,
    async append(where, row) {
      shape ??= row.dims;
      if (row.dims.join() !== shape.join())
        throw mustBe('The shape of every embedding', `[${shape.join(', ')}]`, `[${row.dims.join(', ')}]`, {
          where,
          fix: 'Use --pool, or write .safetensors, .parquet or .jsonl',
        });
      await array.append(where, row);
    },
  };
}

function arraySink(array: ArrayWriter): ResultSink {
  return {
    done: new Map(),
    resumable: false,
    async write(lines) {
      for (const { name, ...embedding } of resultsOf(lines).map(embeddingOf)) await array.append(name, embedding);
    },
    close: (outcome) => (outcome === 'failed' ? array.discard() : array.finish()),
  };
}

async function placeFile(
  file: string,
  write: (path: string) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const moved = await movedFile(await outputTarget(file));
  try {
    await write(moved.path);
    await moved.move(signal);
  } catch (cause) {
    throw writeFailed(file, cause);
  } finally {
    await moved.remove();
  }
}
