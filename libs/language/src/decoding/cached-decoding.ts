import {
  type AttentionMask,
  Blip2Error,
  type Decoding,
  type Extension,
  type Logits,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';

import { causalBias } from './causal-bias.ts';
import { expectEndsUnpadded, expectZerosAndOnes } from './expect-prompt.ts';
import { type CacheSize, KeyValueCache, type NewRows } from './key-value-cache.ts';

/** The immutable state of a decoding in addition to its cache: what the encoder computed for each row. */
export interface RowMemory<M> {
  /** The state of rows that continue rows `parents`. */
  pick(parents: readonly number[]): M;
}

/** One step of a decoder: new positions against a cache. */
export interface CachedStep<M> {
  readonly inputsEmbeds: TokenEmbeddings;
  /** Mask over past and new positions. */
  readonly attentionMask: AttentionMask;
  readonly cache: KeyValueCache;
  readonly memory: M;
  readonly bias: ReturnType<typeof causalBias>;
  /** Indices of the new positions to compute logits for. */
  readonly logitPositions: readonly number[];
  /** Rows of the first step of single positions since the prompt, which this may be. */
  readonly firstRows: number;
}

export interface CachedStepOutput {
  readonly logits: Logits;
  readonly newKeys: readonly NewRows[];
  readonly newValues: readonly NewRows[];
}

/** What a language model supplies for decoding. Everything else is shared. */
export interface CachedStepper<M> {
  readonly cacheSize: CacheSize;
  readonly maxPositions: number;
  embed(ids: readonly TokenIds[]): Promise<TokenEmbeddings>;
  step(step: CachedStep<M>): Promise<CachedStepOutput>;
}

/** Runs the first positions of a decoder and returns the decoding that continues them. */
export async function startCachedDecoding<M extends RowMemory<M>>(
  stepper: CachedStepper<M>,
  memory: M,
  inputsEmbeds: TokenEmbeddings,
  attentionMask: AttentionMask,
): Promise<Decoding> {
  const cache = new KeyValueCache(stepper.cacheSize, inputsEmbeds.dims[0]);
  const decoding = new CachedDecoding(stepper, memory, cache, []);
  await decoding.read(inputsEmbeds, attentionMask, 'last');
  return decoding;
}

class CachedDecoding<M extends RowMemory<M>> implements Decoding {
  readonly #stepper: CachedStepper<M>;
  #memory: M;
  #cache: KeyValueCache | undefined;
  /** Mask over the positions of the cache. */
  #mask: AttentionMask;
  #logits: Logits | undefined;
  #firstRows: number | undefined;

  constructor(stepper: CachedStepper<M>, memory: M, cache: KeyValueCache, mask: AttentionMask, logits?: Logits) {
    this.#stepper = stepper;
    this.#memory = memory;
    this.#cache = cache;
    this.#mask = mask;
    this.#logits = logits;
  }

  get length(): number {
    return this.#cache?.length ?? 0;
  }

  get logits(): Logits {
    this.#open();
    if (!this.#logits)
      throw new Blip2Error('INVALID_STATE', 'A cropped decoding has no logits', {
        where: 'logits',
        fix: 'Extend it before reading logits',
      });
    return this.#logits;
  }

  async extend(more: Extension): Promise<Logits> {
    const cache = this.#open();
    const inputsEmbeds = 'ids' in more ? await this.#stepper.embed(more.ids) : more.inputsEmbeds;
    const rows = more.parents?.length ?? cache.rows;
    if (inputsEmbeds.dims[0] !== rows) {
      throw new Blip2Error('SHAPE_MISMATCH', 'A step must extend every row of the decoding', {
        expected: String(rows),
        got: String(inputsEmbeds.dims[0]),
        where: 'rows',
      });
    }
    // Checked before rows are reordered, so that a refused step changes nothing.
    this.#expectRoom(cache.length, inputsEmbeds);
    const newMask = more.attentionMask ?? inputsEmbedsMask(inputsEmbeds);
    expectMask(newMask, inputsEmbeds);
    // Logits are those after the last position, of every row.
    if ((more.logits ?? 'last') === 'last') expectEndsUnpadded(newMask);
    if (more.parents) {
      cache.reorder(more.parents);
      this.#memory = this.#memory.pick(more.parents);
      this.#mask = more.parents.map((parent) => this.#mask[parent] ?? []);
    }
    // Several positions are a prompt; other texts follow it.
    this.#firstRows = inputsEmbeds.dims[1] === 1 ? (this.#firstRows ?? rows) : undefined;
    return this.read(inputsEmbeds, newMask, more.logits ?? 'last');
  }

  /** Appends positions with the mask `newMask`. */
  async read(inputsEmbeds: TokenEmbeddings, newMask: AttentionMask, scored: 'last' | 'all'): Promise<Logits> {
    const cache = this.#open();
    const sequence = inputsEmbeds.dims[1];
    this.#expectRoom(cache.length, inputsEmbeds);
    const attentionMask = newMask.map((row, index) => [...(this.#mask[index] ?? []), ...row]);
    const { logits, newKeys, newValues } = await this.#stepper.step({
      inputsEmbeds,
      attentionMask,
      cache,
      memory: this.#memory,
      bias: causalBias(attentionMask, cache.length, cache.capacity, sequence),
      firstRows: this.#firstRows ?? inputsEmbeds.dims[0],
      logitPositions: scored === 'all' ? Array.from({ length: sequence }, (_, index) => index) : [sequence - 1],
    });
    cache.append(newKeys, newValues);
    this.#mask = attentionMask;
    this.#logits = scored === 'all' ? lastPosition(logits) : logits;
    return logits;
  }

  async fork(): Promise<Decoding> {
    const twin = new CachedDecoding(this.#stepper, this.#memory, this.#open().fork(), this.#mask, this.#logits);
    twin.#firstRows = this.#firstRows;
    return twin;
  }

  async crop(length: number): Promise<void> {
    const cache = this.#open();
    if (!Number.isInteger(length) || length < 1 || length > cache.length) {
      throw new Blip2Error('INVALID_ARGUMENT', 'length must be within the decoding', {
        expected: `1 to ${cache.length}`,
        got: String(length),
        where: 'length',
      });
    }
    if (length === cache.length) return;
    cache.crop(length);
    this.#logits = undefined;
    this.#mask = this.#mask.map((row) => row.slice(0, length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cache = undefined;
    this.#logits = undefined;
  }

  #open(): KeyValueCache {
    if (!this.#cache) throw new Blip2Error('DISPOSED', 'This decoding has been disposed', { fix: 'Start another one' });
    return this.#cache;
  }

  #expectRoom(past: number, { dims: [, sequence] }: TokenEmbeddings): void {
    const { maxPositions } = this.#stepper;
    const length = past + sequence;
    if (sequence === 0)
      throw new Blip2Error('INVALID_ARGUMENT', 'inputsEmbeds must not be empty', {
        where: 'inputsEmbeds',
        expected: 'at least one position',
        got: '0',
      });
    if (length > maxPositions) {
      throw new Blip2Error('SEQUENCE_TOO_LONG', 'The sequence exceeds the positions of the language model', {
        expected: `at most ${maxPositions}`,
        got: String(length),
        fix: 'Shorten the prompt or generate fewer tokens',
      });
    }
  }
}

function inputsEmbedsMask({ dims: [rows, sequence] }: TokenEmbeddings): AttentionMask {
  return Array.from({ length: rows }, () => new Array<number>(sequence).fill(1));
}

function expectMask(mask: AttentionMask, { dims: [rows, sequence] }: TokenEmbeddings): void {
  if (mask.length !== rows || mask.some((row) => row.length !== sequence)) {
    throw new Blip2Error('SHAPE_MISMATCH', 'attentionMask must have the shape of the new positions', {
      expected: `[${rows}, ${sequence}]`,
      got: `rows of ${mask.map((row) => row.length).join(', ') || 'nothing'}`,
      where: 'attentionMask',
    });
  }
  expectZerosAndOnes(mask);
}

function lastPosition({ dims: [rows, positions, vocabulary], data }: Logits): Logits {
  const last = new Float32Array(rows * vocabulary);
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * positions * vocabulary;
    last.set(data.subarray(end - vocabulary, end), row * vocabulary);
  }
  return { type: 'float32', dims: [rows, 1, vocabulary], data: last };
}
