import { ApiError, errorIn, isAbort } from './api-error.ts';
import { dataUrl } from './data-url.ts';
import { eventsOf, linesOf } from './lines.ts';
import type { FinishedText, Heatmap, HeatmapRequest, ScoredText, ServerModel, TextRequest } from './types.ts';

/** How requests are sent. */
export interface ClientOptions {
  /** The key of the server at this moment; empty: none. */
  readonly apiKey: () => string;
  /** Called after each answer of the server, and after each request without one. */
  readonly onConnection: (isConnected: boolean) => void;
}

/** The server's routes that the page uses. Every method fails with `ApiError`, or with the reason of its signal. */
export interface ApiClient {
  models(signal?: AbortSignal): Promise<readonly ServerModel[]>;
  /** Generates a text and calls `onPiece` with each piece of it. */
  write(request: TextRequest, onPiece: (piece: string) => void, signal: AbortSignal): Promise<FinishedText>;
  /** The probabilities of answers to a question; their sum is 1. */
  rank(
    request: { readonly model: string | undefined; readonly image: Blob; readonly question: string },
    answers: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly ScoredText[]>;
  /** The probability of each text that it matches the image. */
  match(
    request: { readonly model: string | undefined; readonly image: Blob },
    texts: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly ScoredText[]>;
  /** One vector of length 1 per input. */
  embed(
    model: string | undefined,
    inputs: readonly (Blob | string)[],
    signal: AbortSignal,
  ): Promise<readonly Float32Array[]>;
  heatmap(
    request: HeatmapRequest,
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<Heatmap>;
}

export function createClient({ apiKey, onConnection }: ClientOptions): ApiClient {
  async function send(path: string, body?: object, signal?: AbortSignal): Promise<Response> {
    const key = apiKey();
    const headers = {
      ...(body && { 'content-type': 'application/json' }),
      ...(key !== '' && { authorization: `Bearer ${key}` }),
    };
    let response: Response;
    try {
      response = await fetch(new URL(path, document.baseURI), {
        method: body ? 'POST' : 'GET',
        headers,
        ...(body && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
      });
    } catch (cause) {
      throw lost(cause);
    }
    onConnection(true);
    if (response.ok) return response;
    const retryAfter = Number(response.headers.get('retry-after')) || undefined;
    const content: unknown = await response.json().catch(() => undefined);
    const { status } = response;
    throw errorIn(content, { status, retryAfter }) ?? new ApiError(`HTTP_${status}`, 'The request failed', { status });
  }

  /** A connection that failed before or during an answer. Aborts pass. */
  function lost(cause: unknown): unknown {
    if (isAbort(cause) || cause instanceof ApiError) return cause;
    onConnection(false);
    return new ApiError('NETWORK', 'The server does not answer', { cause });
  }

  const post = async <Body>(path: string, body: object, signal: AbortSignal): Promise<Body> => {
    const response = await send(path, body, signal);
    return (await response.json().catch((cause: unknown) => Promise.reject(lost(cause)))) as Body;
  };

  /** Calls `use` with each value of a stream; an error in it is thrown. */
  async function readAll(values: AsyncIterable<unknown>, use: (value: never) => void): Promise<void> {
    try {
      for await (const value of values) {
        const error = errorIn(value);
        if (error) throw error;
        use(value as never);
      }
    } catch (cause) {
      throw lost(cause);
    }
  }

  return {
    async models(signal) {
      const { data } = (await (await send('v1/models', undefined, signal)).json()) as { data: readonly ServerModel[] };
      return data;
    },

    async write(request, onPiece, signal) {
      const body = { ...(await chatBody(request)), stream: true, stream_options: { include_usage: true } };
      const response = await send('v1/chat/completions', body, signal);
      let end = { finishReason: 'stop', promptTokens: 0, newTokens: 0 };
      await readAll(eventsOf(bodyOf(response)), ({ choices, usage }: ChatChunk) => {
        const [choice] = choices;
        if (choice?.delta.content) onPiece(choice.delta.content);
        if (choice?.finish_reason) end = { ...end, finishReason: choice.finish_reason };
        if (usage) end = { ...end, promptTokens: usage.prompt_tokens, newTokens: usage.completion_tokens };
      });
      return end;
    },

    async rank({ model, image, question }, answers, signal) {
      const choices = answers.map((value) => ({ value }));
      const questions = [{ type: 'choice', instructions: question, choices }];
      const body = { model, input: await decisionInput(image), questions };
      const { answers: decided } = await post<Decisions>('v1/decisions', body, signal);
      return (decided[0]?.probabilities ?? []).map(({ value, probability }) => ({ text: value, probability }));
    },

    async match({ model, image }, texts, signal) {
      const questions = texts.map((instructions) => ({ type: 'predicate', instructions }));
      const body = { model, input: await decisionInput(image), questions };
      const { answers } = await post<Decisions>('v1/decisions', body, signal);
      return texts.map((text, index) => ({ text, probability: answers[index]?.probability ?? 0 }));
    },

    async embed(model, inputs, signal) {
      const input = await Promise.all(
        inputs.map(async (each) => (typeof each === 'string' ? { text: each } : { image: await dataUrl(each) })),
      );
      const { data } = await post<Embeddings>('v1/embeddings', { model, input, encoding_format: 'float' }, signal);
      return data.map(({ embedding }) => Float32Array.from(embedding));
    },

    async heatmap({ image, ...request }, onProgress, signal) {
      const body = { ...request, image: await dataUrl(image), stream: true };
      const response = await send('v1/heatmap', body, signal);
      let heatmap: Heatmap | undefined;
      await readAll(parsed(linesOf(bodyOf(response))), (value: HeatmapLine) => {
        if ('progress' in value) onProgress(value.progress.done, value.progress.total);
        else heatmap = value;
      });
      if (!heatmap) throw lost(new TypeError('The answer ended before its last line'));
      return heatmap;
    },
  };
}

interface ChatChunk {
  readonly choices: readonly { readonly delta: { readonly content?: string }; readonly finish_reason: string | null }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
}

interface Decisions {
  readonly answers: readonly {
    readonly probability?: number;
    readonly probabilities?: readonly { readonly value: string; readonly probability: number }[];
  }[];
}

interface Embeddings {
  readonly data: readonly { readonly embedding: readonly number[] }[];
}

type HeatmapLine = { readonly progress: { readonly done: number; readonly total: number } } | Heatmap;

/** The image belongs to the first message; all others are about it. */
async function chatBody({ model, image, question, history = [], options }: TextRequest): Promise<object> {
  const texts = [
    ...history.flatMap((turn) => [
      { role: 'user', text: turn.question },
      { role: 'assistant', text: turn.answer },
    ]),
    { role: 'user', text: question ?? '' },
  ];
  const url = await dataUrl(image);
  const messages = texts.map(({ role, text }, index) => ({
    role,
    content: [
      ...(index === 0 ? [{ type: 'image_url', image_url: { url } }] : []),
      ...(text === '' ? [] : [{ type: 'text', text }]),
    ],
  }));
  return { model, messages, ...options };
}

async function decisionInput(image: Blob): Promise<object[]> {
  return [{ role: 'user', content: [{ type: 'input_image', image_url: await dataUrl(image) }] }];
}

async function* parsed(lines: AsyncIterable<string>): AsyncGenerator<unknown> {
  for await (const line of lines) if (line !== '') yield JSON.parse(line) as unknown;
}

function bodyOf({ body }: Response): ReadableStream<Uint8Array> {
  if (!body) throw new ApiError('NETWORK', 'The server sent an empty answer');
  return body;
}
