import type { TextResult } from '@blip2/blip2';
import { Blip2Error } from '@blip2/interfaces';

import type { Environment } from '../../environment.ts';
import { describeFailure, failureReport, originalError } from '../../failure.ts';
import type { ChatSession, StreamedText } from '../../model/model-port.ts';
import { jsonLine, oneLine } from '../../output/display-text.ts';
import { stdoutSink } from '../../output/result-sink.ts';
import { isAbort } from '../../run/interruption.ts';
import { textResultJson } from '../../run/text-results.ts';

export interface AnswerTask {
  /** Name of the image in outputs. */
  readonly name: string;
  readonly question: string;
  readonly conversation: ChatSession;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly environment: Pick<Environment, 'stdout' | 'stderr'>;
}

/**
 * Asks a question and writes the answer, piece by piece or as one JSON line. Returns false if the question no longer
 * fits the history, which is reported on stderr. An answer that was stopped is written up to that point.
 */
export async function writeAnswer(task: AnswerTask, signal: AbortSignal): Promise<boolean> {
  try {
    await (task.json ? writeJson : writePieces)(task, signal);
    return true;
  } catch (caught) {
    const error = originalError(caught);
    if (!(error instanceof Blip2Error) || error.code !== 'SEQUENCE_TOO_LONG') throw caught;
    await reportTooLong(task, error);
    return false;
  }
}

async function writePieces(
  { question, conversation, environment: { stdout, stderr } }: AnswerTask,
  signal: AbortSignal,
): Promise<void> {
  const { write } = stdoutSink(stdout);
  try {
    for await (const piece of conversation.ask(question, { signal })) await write(oneLine(piece));
    await write('\n');
  } catch (error) {
    expectStopped(error, signal);
    await write('\n');
    stderr.write('(stopped)\n');
  }
}

async function writeJson(
  { name, question, conversation, environment: { stdout } }: AnswerTask,
  signal: AbortSignal,
): Promise<void> {
  const result = await resultOf(conversation.ask(question, { signal }), signal);
  if (result) await stdoutSink(stdout).write(jsonLine({ image: name, question, ...textResultJson(result) }));
}

async function reportTooLong(
  { name, question, json, quiet, verbose, environment: { stdout, stderr } }: AnswerTask,
  error: Blip2Error,
): Promise<void> {
  stderr.write(failureReport(error, verbose));
  if (!quiet) stderr.write('(/clear starts a new conversation)\n');
  if (json) await stdoutSink(stdout).write(jsonLine({ image: name, question, error: describeFailure(error) }));
}

async function resultOf(answer: StreamedText, signal: AbortSignal): Promise<TextResult | undefined> {
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
