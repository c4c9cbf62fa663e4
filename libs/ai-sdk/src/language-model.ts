import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3FinishReason,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
  LanguageModelV3StreamResult,
  LanguageModelV3Usage,
  SharedV3ProviderMetadata,
  SharedV3Warning,
} from '@ai-sdk/provider';
import type { ImageTasks, KeptImage, TextResult } from '@blip2/blip2';
import {
  choiceJson,
  type ChoiceSchema,
  createStopText,
  fittingTokens,
  type ImagePrompt,
  promptLength,
  promptText,
  toConversation,
} from '@blip2/blip2/messages';
import { Blip2Error, defined } from '@blip2/interfaces';

import { type CallSettings, callSettings } from './call-settings.ts';
import { toMessages } from './messages.ts';

/** Name of the provider in results, warnings and provider metadata. */
export const PROVIDER = 'blip2';

/** Options of a language model. */
export interface LanguageModelOptions {
  /** Name in results and logs. */
  readonly modelId: string;
  /** Called at the first use, and at each later one: return the same tasks. */
  readonly load: () => Promise<ImageTasks> | ImageTasks;
  /**
   * Let BLIP-2 fetch http(s) images, from public addresses only. Default: false; the AI SDK then downloads them itself.
   */
  readonly allowImageUrls?: boolean;
}

/**
 * The tasks of a checkpoint as a language model of the AI SDK. An image without text is described; an image with text
 * is a question about it; a schema with one enum property is answered by ranking its values.
 */
export function createLanguageModel({
  modelId,
  load,
  allowImageUrls: allowUrls = false,
}: LanguageModelOptions): LanguageModelV3 {
  const open = async (options: LanguageModelV3CallOptions): Promise<TextCall> => {
    const settings = callSettings(options);
    const { image, prompt } = toConversation(toMessages(options.prompt));
    const { abortSignal: signal } = options;
    signal?.throwIfAborted();
    const tasks = await load();
    const encoded = await tasks.encode(image, { allowUrls, ...defined({ signal }) });
    return { tasks, image: encoded, prompt, settings, signal };
  };
  return {
    specificationVersion: 'v3',
    provider: PROVIDER,
    modelId,
    supportedUrls: allowUrls ? { 'image/*': [/^https?:/] } : {},
    async doGenerate(options): Promise<LanguageModelV3GenerateResult> {
      const call = await open(options);
      try {
        const steps = answer(call);
        let text = '';
        for (let step = await steps.next(); ; step = await steps.next()) {
          if (!step.done) text += step.value;
          else
            return {
              ...step.value,
              content: [{ type: 'text', text: text.trim() }],
              warnings: call.settings.warnings,
              response: { modelId, timestamp: new Date() },
            };
        }
      } finally {
        await call.image[Symbol.asyncDispose]();
      }
    },
    async doStream(options): Promise<LanguageModelV3StreamResult> {
      const call = await open(options);
      const parts = streamParts(call, call.settings.warnings, modelId);
      return {
        stream: new ReadableStream<LanguageModelV3StreamPart>({
          async pull(controller) {
            try {
              const { done, value } = await parts.next();
              if (done) controller.close();
              else controller.enqueue(value);
            } catch (error) {
              controller.error(error);
            }
          },
          async cancel() {
            await parts.return(undefined);
            // A stream that was never read has not begun to use the image.
            await call.image[Symbol.asyncDispose]();
          },
        }),
      };
    },
  };
}

/** A call whose image is encoded. */
interface TextCall {
  readonly tasks: ImageTasks;
  readonly image: KeptImage;
  readonly prompt: ImagePrompt;
  readonly settings: CallSettings;
  readonly signal: AbortSignal | undefined;
}

/** How an answer ended. */
interface Finish {
  readonly finishReason: LanguageModelV3FinishReason;
  readonly usage: LanguageModelV3Usage;
  readonly providerMetadata: SharedV3ProviderMetadata;
}

type Answer = AsyncGenerator<string, Finish, undefined>;

function answer(call: TextCall): Answer {
  const { choice } = call.settings;
  return choice ? rankedAnswer(call, choice) : writtenAnswer(call);
}

async function* writtenAnswer({ tasks, image, prompt, settings, signal }: TextCall): Answer {
  const text = promptText(tasks.prompts, prompt);
  const length = promptLength(tasks.processor, image, text);
  const { maxNewTokens, ...options } = settings.options;
  const own = {
    ...options,
    ...defined({ signal, maxNewTokens: fittingTokens(image, length, maxNewTokens) }),
  };
  const stream =
    prompt.question === undefined
      ? tasks.caption(image, own)
      : tasks.answer(image, text ?? '', { ...own, rawPrompt: true });
  const stops = createStopText([options.stopStrings ?? []].flat());
  for await (const piece of stream) yield stops.add(piece);
  yield stops.end();
  const result = await stream;
  return {
    finishReason: { unified: unifiedReason(result.finishReason), raw: result.finishReason },
    usage: usageOf(length, result.tokenIds.length),
    providerMetadata: { [PROVIDER]: { logProb: result.score } },
  };
}

/** One piece: the best value as JSON. The probabilities of all values are in the metadata. */
async function* rankedAnswer({ tasks, image, prompt, signal }: TextCall, choice: ChoiceSchema): Answer {
  // Without a question, the description of the property is one.
  const question = prompt.question ?? choice.description;
  const text = promptText(tasks.prompts, { ...prompt, question });
  const texts = new Map(choice.values.map((value) => [String(value).trim(), value]));
  if (texts.size < choice.values.length)
    throw new Blip2Error('INVALID_ARGUMENT', 'The values of the schema must have different texts', {
      argument: 'schema',
    });
  const ranked = await tasks.rank(image, question === undefined ? null : (text ?? null), [...texts.keys()], {
    rawPrompt: true,
    ...defined({ signal }),
  });
  const [best] = ranked;
  yield choiceJson(choice, texts.get(best?.text ?? '') ?? '');
  return {
    finishReason: { unified: 'stop', raw: undefined },
    usage: usageOf(promptLength(tasks.processor, image, text), best?.tokenIds.length ?? 0),
    providerMetadata: {
      [PROVIDER]: { probabilities: ranked.map(({ text: value, probability }) => ({ value, probability })) },
    },
  };
}

async function* streamParts(
  call: TextCall,
  warnings: SharedV3Warning[],
  modelId: string,
): AsyncGenerator<LanguageModelV3StreamPart, undefined, undefined> {
  const steps = answer(call);
  try {
    yield { type: 'stream-start', warnings };
    yield { type: 'response-metadata', modelId, timestamp: new Date() };
    const id = '0';
    yield { type: 'text-start', id };
    for (let step = await steps.next(); ; step = await steps.next()) {
      if (!step.done) {
        if (step.value !== '') yield { type: 'text-delta', id, delta: step.value };
        continue;
      }
      yield { type: 'text-end', id };
      yield { type: 'finish', ...step.value };
      return undefined;
    }
  } finally {
    // A stream that is cancelled ends the generation before its next token.
    await steps.return(undefined as never);
    await call.image[Symbol.asyncDispose]();
  }
}

function unifiedReason(reason: TextResult['finishReason']): LanguageModelV3FinishReason['unified'] {
  return reason === 'length' || reason === 'time' ? 'length' : 'stop';
}

function usageOf(promptTokens: number, newTokens: number): LanguageModelV3Usage {
  return {
    inputTokens: { total: promptTokens, noCache: promptTokens, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: newTokens, text: newTokens, reasoning: undefined },
  };
}
