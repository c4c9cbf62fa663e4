import type { IncomingMessage } from 'node:http';

/** A response whose body has not been read. */
export interface ImageResponse {
  readonly status: number;
  /** A header, by its name in lower case. */
  header(name: string): string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** Whether the content encodings of the body have been decoded. */
  readonly isDecoded: boolean;
  /** Closes the connection if the body has not been read. */
  destroy(): void;
}

/** A response of `node:http` or `node:https`. */
export function messageResponse(message: IncomingMessage): ImageResponse {
  return {
    status: message.statusCode ?? 0,
    header: (name) => [message.headers[name] ?? []].flat()[0],
    body: message,
    isDecoded: false,
    destroy: () => void message.destroy(),
  };
}

/** A response of `fetch`, which decodes bodies. */
export function fetchedResponse({ status, headers, body }: Response): ImageResponse {
  return {
    status,
    header: (name) => headers.get(name) ?? undefined,
    body: body ?? emptyBody(),
    isDecoded: true,
    destroy: () => void body?.cancel().catch(() => undefined),
  };
}

async function* emptyBody(): AsyncGenerator<Uint8Array, void, undefined> {}
