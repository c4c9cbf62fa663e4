import { deflateSync } from 'node:zlib';

/** What became of one request. `gone`: its client left, as intended. `refused`: 429. */
export type LoadOutcome = 'answered' | 'different' | 'lost' | 'twice' | 'refused' | 'failed' | 'gone';

/** A request of one kind. */
export interface LoadJob {
  readonly kind: string;
  /** Requests that are equal have equal answers. */
  readonly key: string;
  readonly path: string;
  readonly body: object;
  /** How the answer is read. */
  readonly answer: 'json' | 'sse' | 'ndjson';
  /** Leaves after the first chunk. */
  readonly leaves?: boolean;
}

/** The answer to a request. */
export interface LoadAnswer {
  readonly status: number;
  readonly text: string;
  /** Milliseconds until the first byte of the answer. */
  readonly firstMs: number;
  readonly isGone: boolean;
}

const QUESTIONS = ['what shape is on the left?', 'what color is it?', 'how many objects are there?'];
const IMAGES = 12;
const SIDE = 64;

/** The work of a client, request by request: mixed by the random numbers. */
export function nextJob(random: () => number): LoadJob {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const image = Math.floor(random() * IMAGES);
  const url = `data:image/png;base64,${picture(image)}`;
  const question = pick(QUESTIONS);
  const messages = (text?: string): object[] => [
    {
      role: 'user',
      content: [{ type: 'image_url', image_url: { url } }, ...(text === undefined ? [] : [{ type: 'text', text }])],
    },
  ];
  const chat = '/v1/chat/completions';
  const kinds: (() => Omit<LoadJob, 'key'>)[] = [
    () => ({ kind: 'caption', path: chat, body: { messages: messages() }, answer: 'json' }),
    () => ({ kind: 'stream', path: chat, body: { messages: messages(), stream: true }, answer: 'sse' }),
    () => ({ kind: 'question', path: chat, body: { messages: messages(question) }, answer: 'json' }),
    () => ({
      kind: 'sampled',
      path: chat,
      body: { messages: messages(question), temperature: 1, seed: 7, max_tokens: 24, stream: true },
      answer: 'sse',
    }),
    () => ({
      kind: 'second turn',
      path: chat,
      body: {
        messages: [
          ...messages(question),
          { role: 'assistant', content: 'a circle' },
          { role: 'user', content: 'what color is it?' },
        ],
      },
      answer: 'json',
    }),
    () => ({
      kind: 'choice',
      path: chat,
      body: {
        messages: messages('what color is it?'),
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'c', schema: { type: 'object', properties: { c: { enum: ['red', 'green', 'blue'] } } } },
        },
      },
      answer: 'json',
    }),
    () => ({ kind: 'ollama', path: '/api/generate', body: { images: [picture(image)], prompt: '' }, answer: 'ndjson' }),
    () => ({
      kind: 'leaves',
      path: chat,
      body: { messages: messages(), stream: true, max_tokens: 60, temperature: 2, seed: 3 },
      answer: 'sse',
      leaves: true,
    }),
  ];
  const job = pick(kinds)();
  return { ...job, key: `${job.kind} ${image} ${job.path} ${question}` };
}

/** What can be compared of an answer: its text, without ids and times. */
export function contentOf({ answer }: LoadJob, text: string): string {
  if (answer === 'json') {
    const { choices } = JSON.parse(text) as { choices: { message: { content: string } }[] };
    return choices.map(({ message }) => message.content).join('|');
  }
  const lines = text.split('\n').flatMap((line) => {
    const json = answer === 'sse' ? line.replace(/^data: /, '') : line;
    return json === '' || json === '[DONE]' ? [] : [JSON.parse(json) as Chunk];
  });
  return lines.map(({ choices, response }) => choices?.[0]?.delta?.content ?? response ?? '').join('');
}

interface Chunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string } }[];
  readonly response?: string;
}

/** Whether an answer is complete, and there is one. */
export function endsOf({ answer }: LoadJob, text: string): number {
  if (answer === 'json') return text === '' ? 0 : 1;
  return answer === 'sse' ? text.split('data: [DONE]').length - 1 : text.split('"done":true').length - 1;
}

const PICTURES = new Map<number, string>();

/** A PNG of a coloured rectangle on another colour, in base64. */
function picture(index: number): string {
  const known = PICTURES.get(index);
  if (known !== undefined) return known;
  const rows = Buffer.alloc(SIDE * (1 + 3 * SIDE));
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const isInside = Math.abs(x - 8 - 4 * index) < 12 && Math.abs(y - SIDE / 2) < 8 + index;
      rows.set(isInside ? [20 * index, 200 - 9 * index, 40] : [235, 235, 240], y * (1 + 3 * SIDE) + 1 + 3 * x);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const png = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
  const text = png.toString('base64');
  PICTURES.set(index, text);
  return text;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

/** The checksum of PNG (RFC 2083, section 15). `zlib.crc32` needs Node 22. */
function crc32(data: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
