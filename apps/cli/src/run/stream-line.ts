import { oneLine } from '../output/one-line.ts';
import type { ResultSink } from '../output/result-sink.ts';
import type { StreamedLine } from './image-task.ts';

/**
 * Writes a line as its text comes: the same bytes as the whole line. Nothing is written before the first piece; a text
 * that is stopped or fails keeps what there is of it, on a line of its own.
 */
export async function streamLine(
  name: string,
  { columns, pieces }: StreamedLine,
  sink: ResultSink,
  signal: AbortSignal,
): Promise<void> {
  const start = [name, ...columns, ''].map(oneLine).join('\t');
  let begun = false;
  try {
    for await (const piece of pieces) {
      await sink.write(begun ? oneLine(piece) : start + oneLine(piece));
      begun = true;
    }
    signal.throwIfAborted();
    if (!begun) await sink.write(start);
    begun = true;
  } finally {
    if (begun) await sink.write('\n');
  }
}
