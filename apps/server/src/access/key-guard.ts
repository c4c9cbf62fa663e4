import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether the headers of a request have the key; always if there is none. Takes the same time for every wrong key. */
export function keyGuard(apiKey: string | undefined): (headers: Headers) => boolean {
  if (apiKey === undefined) return () => true;
  const expected = digest(apiKey);
  return (headers) => {
    const [, bearer] = /^Bearer +(.+)$/i.exec(headers.get('authorization') ?? '') ?? [];
    const given = bearer ?? headers.get('x-api-key') ?? '';
    return timingSafeEqual(digest(given.trim()), expected);
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
