import { Blip2Error } from '@blip2/interfaces';

import type { Environment } from '../../environment.ts';
import { describeFailure, failureReport, originalError } from '../../failure.ts';
import type { Conversation, TextResult, TextStream } from '../../model/model-port.ts';
import { oneLine } from '../../output/one-line.ts';
import { stdoutSink } from '../../output/stdout-sink.ts';
import { textResultJson } from '../../output/text-result-json.ts';
import { isAbort } from '../../run/interruption.ts';

export interface AnswerTask {
  /** How outputs call the image. */
  readonly name: string;
  readonly question: string;
  readonly conversation: Conversation;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly environment: Pick<Environment, 'stdout' | 'stderr'>;
}

/**
 * Asks and writes the answer, piece by piece or as one JSON line, and says whether there is one. An answer that was
 * stopped is written as far as it came; a
 * question for which there is no room is an error on stderr, and the conversation can go on.
 */
export async function writeAnswer(task: AnswerTask, signal: AbortSignal): Promise<boolean> {
  try {
    await (task.json ? writeJson : writePieces)(task, signal);
    return true;
  } catch (caught) {
    const error = originalError(caught);
    if (!(error instanceof Blip2Error) || error.code !== 'SEQUENCE_TOO_LONG') throw caught;
    await reportRefusal(task, error);
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
  if (result)
    await stdoutSink(stdout).write(`${JSON.stringify({ image: name, question, ...textResultJson(result) })}\n`);
}

async function reportRefusal(
  { name, question, json, quiet, verbose, environment: { stdout, stderr } }: AnswerTask,
  error: Blip2Error,
): Promise<void> {
  stderr.write(failureReport(error, verbose));
  if (!quiet) stderr.write('(/clear begins a new conversation)\n');
  if (json)
    await stdoutSink(stdout).write(`${JSON.stringify({ image: name, question, error: describeFailure(error) })}\n`);
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
