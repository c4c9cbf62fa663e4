import { EventEmitter } from 'node:events';
import { readFile } from 'node:fs/promises';
import { PassThrough, Readable, Writable } from 'node:stream';

import { Blip2Error, type RgbImage } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { main } from '../main.ts';
import type { HeatmapModel, HeatmapSubject } from '../model/heatmap-port.ts';
import type {
  Embedding,
  EmbeddingModel,
  LoadSettings,
  OpenedImage,
  OpenImageOptions,
  RetrievalModel,
  TaskModel,
  TextResult,
  TextStream,
} from '../model/model-port.ts';

/** What one command line did. */
export interface FakeRun {
  readonly exitCode: number;
  readonly stdout: string;
  /** The same, one by one as it was written. */
  readonly written: readonly string[];
  readonly stderr: string;
  readonly calls: readonly FakeCall[];
}
/** One thing that was asked of the model. */
export interface FakeCall {
  readonly name:
    | 'load'
    | 'stream'
    | 'caption'
    | 'ask'
    | 'rank'
    | 'chat'
    | 'match'
    | 'embed'
    | 'heatmap'
    | 'dispose'
    | 'exit'
    | 'leak';
  readonly [detail: string]: unknown;
}
export interface FakeOptions {
  readonly stdin?: Readable & { isTTY?: boolean };
  readonly variables?: Record<string, string>;
  readonly stderrIsTerminal?: boolean;
  readonly stdoutIsTerminal?: boolean;
  /** Hears the signals once the command is under way. */
  readonly onStart?: (signals: EventEmitter) => void;
  /** Called before each answer of the model. */
  readonly onCall?: (call: FakeCall, signals: EventEmitter) => void | Promise<void>;
  /** Fails with `EPIPE` after this many writes. */
  readonly closeStdoutAfter?: number;
}

/** Runs `blip2 …argv` in this process against a model that says what is written in the "images". */
export async function runFake(argv: readonly string[], options: FakeOptions = {}): Promise<FakeRun> {
  const calls: FakeCall[] = [];
  let openReaders = 0;
  const [stdout, stderr] = [new Collected(options.closeStdoutAfter), new Collected()];
  const signals = new EventEmitter();
  const called = async (call: FakeCall): Promise<void> => {
    calls.push(call);
    await options.onCall?.(call, signals);
  };
  const environment: Environment = {
    stdin: options.stdin ?? Readable.from([]),
    stdout: Object.assign(stdout, { isTTY: options.stdoutIsTerminal === true }),
    stderr: Object.assign(stderr, { isTTY: options.stderrIsTerminal === true }),
    variables: options.variables ?? {},
    signals,
    exitNow: () => void calls.push({ name: 'exit' }),
    openImage: fakeOpen,
    openReader: async (threads) => {
      openReaders++;
      return { threads, open: fakeOpen, [Symbol.asyncDispose]: async () => void (openReaders -= 1) };
    },
    loadModel: async (source, { signal, ...settings }: LoadSettings) => {
      await called({ name: 'load', source, settings, signal });
      return fakeModel(called);
    },
    loadRetrievalModel: async (source, { signal, ...settings }) => {
      await called({ name: 'load', source, settings, signal });
      return fakeRetrievalModel(called);
    },
    loadEmbeddingModel: async (source, part, { signal, ...settings }) => {
      await called({ name: 'load', source, part, settings, signal });
      return fakeEmbeddingModel(called);
    },
    loadHeatmapModel: async (source, subject, { signal, ...settings }) => {
      await called({ name: 'load', source, settings, signal });
      return fakeHeatmapModel(subject, called);
    },
  };
  const running = main(argv, environment);
  options.onStart?.(signals);
  const exitCode = await running;
  if (signals.listenerCount('SIGINT') > 0) calls.push({ name: 'leak', what: 'SIGINT listener' });
  if (openReaders > 0) calls.push({ name: 'leak', what: 'reading threads' });
  return { exitCode, stdout: stdout.text, written: stdout.written, stderr: stderr.text, calls };
}

/** A "image" is a file that holds a text; one that begins with `bad` cannot be decoded. */
async function fakeOpen(source: string | URL | Uint8Array, { thumbnail }: OpenImageOptions): Promise<OpenedImage> {
  const data =
    source instanceof Uint8Array
      ? source
      : await readFile(source).catch((cause: unknown) => {
          throw new Blip2Error('MISSING_FILE', 'There is no such image', { where: String(source), cause });
        });
  if (data.length === 0 || Buffer.from(data).toString().startsWith('bad'))
    throw new Blip2Error('INVALID_IMAGE', 'This is not an image', { where: String(source) });
  const image: RgbImage = { type: 'uint8', dims: [1, data.length, 3], data: Uint8Array.from(data) };
  return {
    image,
    width: data.length,
    height: 1,
    ...(thumbnail && { thumbnail: { jpeg: data, width: data.length, height: 1 } }),
  };
}

const textOf = (image: RgbImage): string => Buffer.from(image.data).toString();

/** A text fits an image that says the same. */
function fakeRetrievalModel(called: (call: FakeCall) => Promise<void>): RetrievalModel {
  return {
    async match(items, { signal }) {
      await called({ name: 'match', items: items.map(({ image, texts }) => [textOf(image), ...texts]) });
      signal.throwIfAborted();
      return items.map(({ image, texts }) =>
        texts.map((text) => (textOf(image) === text ? { itm: 0.75, itc: 0.5 } : { itm: 0.25, itc: -0.5 })),
      );
    },
    [Symbol.asyncDispose]: () => called({ name: 'dispose' }),
  };
}

/** Two positions of two numbers: how long the text is, and 0.5. */
function fakeEmbeddingModel(called: (call: FakeCall) => Promise<void>): EmbeddingModel {
  const embeddingOf = (text: string): Embedding => ({
    dims: [2, 2],
    data: Float32Array.of(text.length, 0.5, text.length + 1, 0.25),
  });
  return {
    async embedImages(images, { signal }) {
      await called({ name: 'embed', images: images.map(textOf) });
      signal.throwIfAborted();
      return images.map((image) => embeddingOf(textOf(image)));
    },
    async embedTexts(texts, { signal }) {
      await called({ name: 'embed', texts });
      signal.throwIfAborted();
      return texts.map(embeddingOf);
    },
    async embedPairs(items) {
      await called({ name: 'embed', items: items.map(({ image, texts }) => [textOf(image), ...texts]) });
      return items.map(({ image, texts }) => texts.map((text) => embeddingOf(textOf(image) + text)));
    },
    [Symbol.asyncDispose]: () => called({ name: 'dispose' }),
  };
}

/** The "overlay" is the text of the image; its map holds the length of it. */
function fakeHeatmapModel(subject: HeatmapSubject, called: (call: FakeCall) => Promise<void>): HeatmapModel {
  return {
    async draw(image, { signal, onProgress }) {
      await called({ name: 'heatmap', image: textOf(image), subject });
      signal.throwIfAborted();
      onProgress?.(1, 2);
      onProgress?.(2, 2);
      const map = { dims: [1, 2], data: Float32Array.of(image.data.length, 0.5) };
      return {
        overlay: image.data,
        map,
        runs: 2,
        ...(subject.method === 'occlusion' && {
          score: { kind: 'itm', value: subject.text === textOf(image) ? 2 : -2 },
        }),
      };
    },
    [Symbol.asyncDispose]: () => called({ name: 'dispose' }),
  };
}

/** How long a fake conversation may become. */
const MOST_PIECES = 9;

function fakeModel(called: (call: FakeCall) => Promise<void>): TaskModel {
  return {
    async caption(images, { generation, prompt, signal }) {
      await called({ name: 'caption', images: images.map(textOf), generation, prompt });
      return images.map((image) => result(signal.aborted ? 'cut' : textOf(image)));
    },
    async ask(items, { generation, rawPrompt, signal }) {
      await called({
        name: 'ask',
        items: items.map(({ image, questions }) => [textOf(image), ...questions]),
        generation,
        rawPrompt,
      });
      signal.throwIfAborted();
      return items.map(({ image, questions }) => questions.map((question) => result(`${textOf(image)}, ${question}`)));
    },
    streamCaption: (image, { generation, prompt, signal }) =>
      fakeStream(textOf(image), (piece) => called({ name: 'stream', piece, generation, prompt }), signal),
    streamAnswer: (image, question, { generation, rawPrompt, signal }) =>
      fakeStream(
        `${textOf(image)}, ${question}`,
        (piece) => called({ name: 'stream', piece, question, generation, rawPrompt }),
        signal,
      ),
    async rank(items, candidates, { rawPrompt, perToken, signal }) {
      await called({
        name: 'rank',
        items: items.map(({ image, questions }) => [textOf(image), ...questions]),
        candidates,
        rawPrompt,
        perToken,
      });
      signal.throwIfAborted();
      return items.map(({ questions }) =>
        questions.map(() =>
          candidates.map((text, index) => ({
            text,
            logProb: -index - 0.5,
            logProbPerToken: -index / 2 - 0.25,
            probability: 1 / (index + 2),
          })),
        ),
      );
    },
    async chat(image, { generation }) {
      await called({ name: 'chat', image: textOf(image), generation });
      let asked = 0;
      return {
        ask: (question, { signal }) =>
          fakeStream(
            `${textOf(image)}, ${question}`,
            async (piece) => {
              if (question.startsWith('long') || ++asked > MOST_PIECES)
                throw new Blip2Error('SEQUENCE_TOO_LONG', 'Too long', { fix: 'Clear it' });
              await called({ name: 'chat', question, piece });
            },
            signal,
          ),
        clear: () => void (asked = 0),
        [Symbol.asyncDispose]: () => called({ name: 'dispose', what: 'chat' }),
      };
    },
    [Symbol.asyncDispose]: () => called({ name: 'dispose' }),
  };
}

/** A word at a time. */
function fakeStream(text: string, onPiece: (piece: string) => Promise<void>, signal: AbortSignal): TextStream {
  let written = '';
  async function* pieces(): AsyncGenerator<string> {
    for (const piece of text.split(/(?= )/)) {
      signal.throwIfAborted();
      written += piece;
      await onPiece(piece);
      yield piece;
    }
  }
  const whole = async (): Promise<TextResult> => {
    for await (const piece of pieces()) if (piece === '') break;
    return result(written);
  };
  return {
    [Symbol.asyncIterator]: pieces,
    then: (fulfilled, rejected) => whole().then(fulfilled, rejected),
    get partial() {
      return result(written);
    },
  };
}

function result(text: string): TextResult {
  return { text, tokenIds: [text.length, 2], score: -0.5, timings: { preprocess: 1, encode: 2, generate: 3 } };
}

/** A stream that keeps what it is given, and may be closed by its reader. */
class Collected extends Writable {
  text = '';
  readonly written: string[] = [];
  readonly #closeAfter: number | undefined;
  #writes = 0;

  constructor(closeAfter?: number) {
    super();
    this.#closeAfter = closeAfter;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#writes++;
    if (this.#closeAfter !== undefined && this.#writes > this.#closeAfter)
      return done(Object.assign(new TypeError('write EPIPE'), { code: 'EPIPE' }));
    this.text += chunk.toString();
    this.written.push(chunk.toString());
    done();
  }
}

/** A stdin with these bytes. */
export function stdinWith(...chunks: readonly (string | Uint8Array)[]): PassThrough {
  const stream = new PassThrough();
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  return stream;
}
