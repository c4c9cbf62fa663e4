import { errorBody } from '../requests/failure.ts';
import type { Answer } from '../routes/route.ts';
import type { FinishedText } from '../routes/text-generation.ts';
import type { LogProbEntry } from './log-probs.ts';

/** What happens while choices are generated, one choice after another. */
export type ChatEvent =
  | {
      readonly kind: 'piece';
      readonly index: number;
      readonly text: string;
      readonly logProbs?: readonly LogProbEntry[];
    }
  | ({ readonly kind: 'end'; readonly index: number } & FinishedText);

/** What every response and chunk of a request has. */
export interface ChatHead {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly model: string;
}

interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

/** A completion from its events. */
export async function chatAnswer(head: ChatHead, events: AsyncIterable<ChatEvent>): Promise<object> {
  const choices: object[] = [];
  const usage = emptyUsage();
  let content = '';
  let logProbs: LogProbEntry[] | undefined;
  for await (const event of events) {
    if (event.kind === 'piece') {
      content += event.text;
      if (event.logProbs) logProbs = [...(logProbs ?? []), ...event.logProbs];
      continue;
    }
    addUsage(usage, event);
    choices.push({
      index: event.index,
      message: { role: 'assistant', content: content.trim(), refusal: null },
      logprobs: logProbs ? { content: logProbs, refusal: null } : null,
      finish_reason: event.finishReason,
    });
    [content, logProbs] = ['', undefined];
  }
  return { ...head, object: 'chat.completion', system_fingerprint: null, choices, usage };
}

/** A completion as server-sent events. */
export function chatStream(head: ChatHead, events: AsyncIterable<ChatEvent>, includeUsage: boolean): Answer {
  return {
    kind: 'stream',
    contentType: 'text/event-stream',
    chunks: chatChunks(head, events, includeUsage),
    failureChunk: (failure) => event(errorBody(failure, 'openai')),
  };
}

async function* chatChunks(
  head: ChatHead,
  events: AsyncIterable<ChatEvent>,
  includeUsage: boolean,
): AsyncGenerator<string> {
  const usage = emptyUsage();
  const chunk = (index: number, delta: object, finishReason: string | null = null, logprobs: unknown = null): string =>
    event({
      ...head,
      object: 'chat.completion.chunk',
      system_fingerprint: null,
      choices: [{ index, delta, logprobs, finish_reason: finishReason }],
      ...(includeUsage ? { usage: null } : {}),
    });
  let opened = -1;
  for await (const each of events) {
    const { index } = each;
    const role = index > opened ? { role: 'assistant' } : {};
    opened = index;
    if (each.kind === 'piece') {
      const logprobs = each.logProbs ? { content: each.logProbs, refusal: null } : null;
      yield chunk(index, { ...role, content: each.text }, null, logprobs);
      continue;
    }
    addUsage(usage, each);
    // An empty text: its first chunk is also its last.
    if ('role' in role) yield chunk(index, { ...role, content: '' });
    yield chunk(index, {}, each.finishReason);
  }
  if (includeUsage) yield event({ ...head, object: 'chat.completion.chunk', choices: [], usage });
  yield 'data: [DONE]\n\n';
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

function emptyUsage(): Usage {
  return { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
}

/** The prompt counts once, however many choices continue it. */
function addUsage(usage: Usage, { promptTokens, newTokens }: FinishedText): void {
  usage.prompt_tokens = promptTokens;
  usage.completion_tokens += newTokens;
  usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
}
