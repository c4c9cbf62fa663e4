import type { Environment } from '../environment.ts';
import { originalError } from '../failure.ts';
import type { Conversation, TextResult, TextStream } from '../model/model-port.ts';
import { oneLine } from '../output/one-line.ts';
import { stdoutSink } from '../output/stdout-sink.ts';
import { textResultJson } from '../output/text-result-json.ts';
import { isAbort } from '../run/interruption.ts';

export interface AnswerTask {
  /** How outputs call the picture. */
  readonly name: string;
  readonly question: string;
  readonly conversation: Conversation;
  readonly json: boolean;
  readonly environment: Pick<Environment, 'stdout' | 'stderr'>;
}

/** Asks and writes the answer, piece by piece or as one JSON line. One that was stopped is written as far as it came. */
export async function writeAnswer({ name, question, conversation, json, environment: { stdout, stderr } }: AnswerTask, signal: AbortSignal): Promise<void> {
  const { write } = stdoutSink(stdout);
  const answer = conversation.ask(question, { signal });
  if (json) {
    const result = await resultOf(answer, signal);
    return result && write(`${JSON.stringify({ image: name, question, ...textResultJson(result) })}\n`);
  }
  try {
    for await (const piece of answer) await write(oneLine(piece));
    await write('\n');
  } catch (error) {
    expectStopped(error, signal);
    await write('\n');
    stderr.write('(stopped)\n');
  }
}

async function resultOf(answer: TextStream, signal: AbortSignal): Promise<TextResult | undefined> {
  try {
    return await answer;
  } catch (error) {
    expectStopped(error, signal);
    return answer.partial;
  }
}

function expectStopped(error: unknown, signal: AbortSignal): void {
  if (!signal.aborted || !isAbort(originalError(error))) throw error;
}
