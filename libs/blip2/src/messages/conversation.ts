import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { ImagePrompt } from './image-prompt.ts';

/** An image of a message: encoded bytes, or a URL. */
export type MessageImage = Uint8Array | string;

/** A message of a chat request. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly text: string;
  readonly images: readonly MessageImage[];
}

/** An image and a prompt about it. */
export interface ImageConversation {
  readonly image: MessageImage;
  readonly prompt: ImagePrompt;
}

/** One question under construction, and the answer that follows it. */
interface OpenTurn {
  question: string[];
  answer: string[];
}

/**
 * Converts messages to a prompt. Consecutive messages of a role are one, since some clients split text and image.
 * System messages precede the question. The image of an earlier message is that of the whole conversation, which may
 * repeat it.
 * @throws Blip2Error `INVALID_ARGUMENT` without an image, for two different ones, or if the last message is an answer.
 */
export function toConversation(messages: readonly ChatMessage[]): ImageConversation {
  if (messages.findLast(({ role }) => role !== 'system')?.role !== 'user')
    throw mustBe('messages', 'a list that ends with a message of the user', messages);
  const turns: OpenTurn[] = [];
  let last: ChatMessage['role'] | undefined;
  for (const { role, text } of messages) {
    if (role === 'system') continue;
    if (role === 'user' && last !== 'user') turns.push({ question: [], answer: [] });
    const turn = turns.at(-1);
    if (!turn) throw mustBe('messages[0].role', "'user' or 'system'", role);
    if (text.trim() !== '') turn[role === 'user' ? 'question' : 'answer'].push(text.trim());
    last = role;
  }
  const texts = turns.map(({ question, answer }) => ({ question: question.join('\n'), answer: answer.join('\n') }));
  const instructions = messages.flatMap(({ role, text }) => (role === 'system' ? text.trim() : []));
  const question = [...instructions, texts.at(-1)?.question ?? ''].filter((text) => text !== '').join('\n');
  return {
    image: onlyImage(messages.flatMap(({ images }) => images)),
    prompt: { history: texts.slice(0, -1), question: question === '' ? undefined : question },
  };
}

/**
 * The image that all messages are about.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function onlyImage(images: readonly MessageImage[]): MessageImage {
  const [first] = images;
  if (first === undefined)
    throw new Blip2Error('INVALID_ARGUMENT', 'messages must contain an image', {
      argument: 'messages',
      fix: 'These models answer questions about an image; text alone is not supported',
    });
  const different = images.filter((image) => !isSame(image, first)).length;
  if (different > 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'messages must contain one image', {
      argument: 'messages',
      got: `${different + 1} different ones`,
      fix: 'Send one request per image',
    });
  return first;
}

function isSame(a: MessageImage, b: MessageImage): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return Buffer.compare(a, b) === 0;
}
