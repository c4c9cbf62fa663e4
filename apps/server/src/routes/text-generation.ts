import type { KeptImage, TaskOptions } from '@blip2/blip2';
import { createStopText, type ImagePrompt } from '@blip2/blip2/messages';
import type { NewToken } from '@blip2/generate';

import type { ModelUse } from './model-use.ts';
import type { RouteRequest } from './route.ts';

/** The next piece of a text, and the tokens that it was decoded from. */
export interface TextPiece {
  readonly text: string;
  readonly tokens: readonly NewToken[];
}

/** A text that is complete. */
export interface FinishedText {
  readonly finishReason: 'stop' | 'length';
  readonly promptTokens: number;
  readonly newTokens: number;
  /** Sum of the natural log-probabilities of the new tokens. */
  readonly logProb: number;
}

/** What is generated. */
export interface TextTask {
  readonly image: KeptImage;
  readonly prompt: ImagePrompt;
  readonly settings: TaskOptions;
}

/** Generates one text, piece by piece, without its stop string. Returns how it ended. */
export async function* generateText(
  { call, server }: RouteRequest,
  { model, progress }: ModelUse<'text'>,
  { image, prompt, settings }: TextTask,
): AsyncGenerator<TextPiece, FinishedText, undefined> {
  const { notes, signal, startedAt } = call;
  const tokens: NewToken[] = [];
  const onToken = (token: NewToken): void => {
    // Counted here, so that an aborted text counts too.
    notes.newTokens = (notes.newTokens ?? 0) + 1;
    notes.firstTokenMs ??= performance.now() - startedAt;
    progress();
    tokens.push(token);
  };
  const { stream, promptTokens } = model.write(image, prompt, { ...settings, onToken, signal });
  if (server.logPrompts) notes.prompt = prompt.question ?? '';
  const stopText = createStopText([settings.stopStrings ?? []].flat());
  for await (const piece of stream) {
    const text = stopText.add(piece);
    if (text !== '') yield { text, tokens: tokens.splice(0) };
  }
  const { finishReason, tokenIds, score } = await stream;
  // The end token and the tokens of a stop string have no text.
  if (finishReason === 'eos') tokens.pop();
  const rest = stopText.end();
  if (rest !== '' || (tokens.length > 0 && !stopText.hasStopped)) yield { text: rest, tokens: tokens.splice(0) };
  const isCut = finishReason === 'length' || finishReason === 'time';
  notes.promptTokens = (notes.promptTokens ?? 0) + promptTokens;
  notes.finishReason = isCut ? 'length' : 'stop';
  return { finishReason: isCut ? 'length' : 'stop', promptTokens, newTokens: tokenIds.length, logProb: score };
}

/** Generates one text to its end. */
export async function wholeText(
  request: RouteRequest,
  use: ModelUse<'text'>,
  task: TextTask,
): Promise<FinishedText & TextPiece> {
  const steps = generateText(request, use, task);
  let text = '';
  const tokens: NewToken[] = [];
  for (let step = await steps.next(); ; step = await steps.next()) {
    if (step.done) return { ...step.value, text, tokens };
    text += step.value.text;
    tokens.push(...step.value.tokens);
  }
}
