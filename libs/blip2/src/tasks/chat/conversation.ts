import { Blip2Error, defined, mustBe } from '@blip2/interfaces';

import type { KeptImage } from '../../images/encoded-image.ts';
import type { ImageTools } from '../../images/task-images.ts';
import type { CallQueue } from '../../lifetime/call-queue.ts';
import { expectTaskOptions } from '../expect-task-options.ts';
import { startTexts } from '../generate-texts.ts';
import type { ChatTemplate, Turn } from '../prompt-templates.ts';
import { queuedGeneration } from '../queued-generation.ts';
import { resultsOf, type StartGeneration, type TaskGeneration, textDecoder } from '../task-generation.ts';
import type { TaskOptions } from '../task-options.ts';
import { createTextStream, type TextStream } from '../text-stream.ts';
import { createConversationCache } from './conversation-cache.ts';

/** A conversation about one image. */
export interface Conversation extends AsyncDisposable {
  /** The questions so far with their answers, also those that were cut off. */
  readonly history: readonly Turn[];
  /**
   * Asks the next question. Only one can be in progress: the answer to the previous one must have ended. Errors reject
   * the returned stream when it is awaited or iterated.
   * @throws Blip2Error `INVALID_ARGUMENT` if the question is empty, or if another one is being answered.
   * @throws Blip2Error `SEQUENCE_TOO_LONG` if question and history no longer fit into the model or into `maxLength`.
   * The question then does not count; ask a shorter one, or any after `clear`.
   * @throws Blip2Error the other codes of `answer`.
   */
  ask(question: string, options?: TaskOptions): TextStream;
  /**
   * Clears the history; the image stays encoded.
   * @throws Blip2Error `INVALID_ARGUMENT` if a question is being answered.
   */
  clear(): void;
  /** Frees the key-value cache, and the image if it was encoded for this conversation. */
  dispose(): Promise<void>;
}

/**
 * A conversation about an encoded image. A causal model keeps its key-value cache and prefills only the new part of
 * each prompt. A seq2seq model prefills the whole prompt again, since its encoder attends to all of it at once; so does
 * InstructBLIP, whose query outputs depend on the question. `release` frees the image.
 */
export function createConversation(
  tools: ImageTools,
  queue: CallQueue,
  image: KeptImage,
  { template, ...defaults }: TaskOptions & { readonly template: ChatTemplate },
  release: () => Promise<void>,
): Conversation {
  const history: Turn[] = [];
  const decode = textDecoder(tools.processor);
  const { readPrefix } = image.batch;
  const cache =
    tools.pipeline.language.architecture === 'causal' && readPrefix
      ? createConversationCache(tools, image.row, readPrefix)
      : undefined;
  let isBusy = false;

  function startAnswer(question: string, given: TaskOptions | undefined): StartGeneration {
    return async (resources) => {
      expectTaskOptions('ask', given);
      expectQuestion(question);
      expectFree(isBusy);
      const text = template(history, question);
      const options = { ...defaults, ...given };
      const queued = queuedGeneration(queue, options, (enter) => async (own) => {
        isBusy = true;
        let started: TaskGeneration | undefined;
        own.defer(() => {
          isBusy = false;
          const answer = (started && resultsOf(started, decode)[0]?.text) ?? '';
          if (answer !== '') history.push({ question: question.trim(), answer });
        });
        const start = cache
          ? cache.start(text, options, enter)
          : startTexts({ ...tools, enter }, [{ image, text }], options);
        return (started = await start(own));
      });
      return queued(resources);
    };
  }
  const dispose = async (): Promise<void> => {
    await cache?.[Symbol.asyncDispose]();
    await release();
  };
  return {
    history,
    ask: (question, options) =>
      createTextStream(tools.processor, startAnswer(question, options), (error) =>
        history.length > 0 ? asConversationTooLong(error) : error,
      ),
    clear() {
      expectFree(isBusy);
      // The next prompt crops the cache to the prefix that they share: the image.
      history.length = 0;
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function expectQuestion(question: string): void {
  if (typeof question !== 'string' || question.trim() === '') throw mustBe('question', 'a non-empty text', question);
}

function expectFree(isBusy: boolean): void {
  if (isBusy)
    throw new Blip2Error('INVALID_ARGUMENT', 'The previous question is still being answered', {
      where: 'conversation',
      fix: 'Await its answer first',
    });
}

/** An error about the length of a prompt, attributed to the history of the conversation. */
function asConversationTooLong(error: unknown): unknown {
  if (!(error instanceof Blip2Error) || (error.code !== 'SEQUENCE_TOO_LONG' && error.details.argument !== 'maxLength'))
    return error;
  const { expected, got } = error.details;
  return new Blip2Error('SEQUENCE_TOO_LONG', 'The conversation exceeds the length limit of the model or of maxLength', {
    where: 'question',
    ...defined({ expected, got }),
    fix: 'Ask a shorter question, or clear the conversation and ask again',
    cause: error,
  });
}
