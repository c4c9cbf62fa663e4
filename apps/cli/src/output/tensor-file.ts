import { Blip2Error } from '@blip2/interfaces';
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { Embedding } from '../model/model-port.ts';
import { npyHeader } from './npy.ts';
import { oneLine } from './one-line.ts';
import { expectWritable } from './open-sink.ts';
import type { ResultSink } from './result-sink.ts';
import { temporaryFiles } from './temporary-files.ts';
import { writeFailed } from './write-failed.ts';

/** An embedding with the name of what it is of. */
interface NamedEmbedding extends Embedding {
  readonly name: string;
}

/** Whether a file name asks for arrays instead of lines. */
export function isTensorFile(output: string | undefined): output is string {
  return output !== undefined && /\.(npy|safetensors)$/i.test(output);
}

/**
 * Gathers the JSON lines of embeddings and writes them in the end, under a temporary name: `.npy` one array `[inputs, …shape]`, `.safetensors` one tensor per input, by
 * its name (`path | text` for a pair). Embeddings are held in memory. Inputs that failed are left out. Fails with `INVALID_ARGUMENT` if an array is to hold different shapes.
 */
export async function openTensorFile(file: string): Promise<ResultSink> {
  await expectWritable(file);
  const gathered: NamedEmbedding[] = [];
  return {
    done: new Set(),
    resumable: false,
    async write(lines) {
      for (const line of lines.split('\n')) if (line !== '') gathered.push(...embeddingOf(JSON.parse(line)));
    },
    async close(outcome) {
      if (outcome === 'failed' || gathered.length === 0) return;
      await (/\.npy$/i.test(file) ? writeNpy(file, gathered) : writeNamed(file, gathered));
    },
  };
}

interface EmbeddingLine {
  readonly image?: string;
  readonly text?: string;
  readonly shape?: readonly number[];
  readonly embedding?: unknown;
}

function embeddingOf({ image, text, shape, embedding }: EmbeddingLine): NamedEmbedding[] {
  if (!shape || !Array.isArray(embedding)) return [];
  return [{ name: oneLine([image, text].filter((each) => each !== undefined).join(' | ')), dims: shape, data: Float32Array.from(embedding.flat(shape.length - 1) as number[]) }];
}

async function writeNamed(file: string, embeddings: readonly NamedEmbedding[]): Promise<void> {
  // When it is needed: `--help` loads this file too.
  const { tensorSource, writeSafetensors } = await import('@blip2/checkpoint');
  await writeSafetensors(file, embeddings.map(({ name, dims, data }) => tensorSource(name, { type: 'float32', dims, data })));
}

async function writeNpy(file: string, embeddings: readonly NamedEmbedding[]): Promise<void> {
  const dims = embeddings[0]?.dims ?? [];
  const other = embeddings.find((each) => each.dims.join() !== dims.join());
  if (other) {
    throw new Blip2Error('INVALID_ARGUMENT', 'These embeddings have different shapes', {
      where: other.name, expected: `[${dims.join(', ')}]`, got: `[${other.dims.join(', ')}]`, fix: 'Use --pool, or write .safetensors or .jsonl',
    });
  }
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  temporaryFiles.add(temporary);
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.appendFile(npyHeader([embeddings.length, ...dims]));
      for (const { data } of embeddings) await handle.appendFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    throw writeFailed(file, cause);
  } finally {
    await rm(temporary, { force: true });
    temporaryFiles.forget(temporary);
  }
}
