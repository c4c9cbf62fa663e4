import { oneLine } from '../output/display-text.ts';
import type { ResultSink } from '../output/result-sink.ts';
import type { StreamedLine } from './image-task.ts';

/**
 * Writes a line piece by piece: the same bytes as the whole line. Nothing is written before the first piece. If the
 * text is stopped or fails, the line ends after the last piece.
 */
export async function streamLine(
  name: string,
  { columns, pieces }: StreamedLine,
  sink: ResultSink,
  signal: AbortSignal,
): Promise<void> {
  const start = [name, ...columns, ''].map(oneLine).join('\t');
  let started = false;
  try {
    for await (const piece of pieces) {
      await sink.write(started ? oneLine(piece) : start + oneLine(piece));
      started = true;
    }
    signal.throwIfAborted();
    if (!started) await sink.write(start);
    started = true;
  } finally {
    if (started) await sink.write('\n');
  }
}
