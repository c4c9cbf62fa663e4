import {
  type LanguageModelV3FilePart,
  type LanguageModelV3Message,
  type LanguageModelV3Prompt,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider';
import type { ChatMessage, MessageImage } from '@blip2/blip2/messages';

/**
 * Converts a prompt of the AI SDK.
 * @throws UnsupportedFunctionalityError for tools, files that are not images, and images of the assistant.
 */
export function toMessages(prompt: LanguageModelV3Prompt): ChatMessage[] {
  return prompt.map((message): ChatMessage => {
    if (message.role === 'system') return { role: 'system', text: message.content, images: [] };
    if (message.role === 'tool') throw unsupported('tool messages');
    const parts = message.content.map((part) => toPart(part, message.role));
    return {
      role: message.role,
      text: parts.flatMap(({ text }) => text ?? []).join('\n'),
      images: parts.flatMap(({ image }) => image ?? []),
    };
  });
}

type Part = Exclude<LanguageModelV3Message, { readonly role: 'system' }>['content'][number];

function toPart(part: Part, role: 'user' | 'assistant'): { text?: string; image?: MessageImage } {
  switch (part.type) {
    case 'text':
      return { text: part.text };
    case 'file':
      if (role === 'assistant') throw unsupported('files of the assistant');
      return { image: toImage(part) };
    case 'reasoning':
      return {};
    default:
      throw unsupported(`${part.type} parts`);
  }
}

/** Bytes, or a URL as text. A path is neither: files are read by the caller. */
function toImage({ data, mediaType }: LanguageModelV3FilePart): MessageImage {
  if (!mediaType.startsWith('image/')) throw unsupported(`files of type ${mediaType}`);
  if (data instanceof URL) {
    if (!['data:', 'http:', 'https:'].includes(data.protocol)) throw unsupported(`${data.protocol} URLs`);
    return data.href;
  }
  if (typeof data !== 'string') return data;
  return data.startsWith('data:') ? data : new Uint8Array(Buffer.from(data, 'base64'));
}

/** @throws nothing: returns the error of the AI SDK for what a model cannot do. */
export function unsupported(functionality: string, message?: string): UnsupportedFunctionalityError {
  return new UnsupportedFunctionalityError({ functionality, ...(message !== undefined && { message }) });
}
