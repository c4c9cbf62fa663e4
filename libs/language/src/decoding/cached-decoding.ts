import {
  type AttentionMask,
  Blip2Error,
  type Decoding,
  type Extension,
  type Logits,
  pickRows,
  type TokenEmbeddings,
} from '@blip2/interfaces';

import type { CachedStepper, RowMemory } from './cached-stepper.ts';
import { causalBias } from './causal-bias.ts';
import { commonPadding, countOnes, expectMask, inputsEmbedsMask, lastPosition, paddedMask } from './decoding-masks.ts';
import { expectEndsUnpadded } from './expect-prompt.ts';
import { expectRows } from './expect-rows.ts';
import { KeyValueCache } from './key-value-cache.ts';

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
  /** Rows have been appended, so that padding does not count as positions. */
  #isJoined = false;
  /** Slots at the start that are padding in every row, and do not count. */
  #padding = 0;
  readonly append?: NonNullable<Decoding['append']>;
  #firstRows: number | undefined;

  constructor(stepper: CachedStepper<M>, memory: M, cache: KeyValueCache, mask: AttentionMask, logits?: Logits) {
    this.#stepper = stepper;
    this.#memory = memory;
    this.#cache = cache;
    this.#mask = mask;
    this.#logits = logits;
    if (memory.join) this.append = async (other, rows) => this.#append(other, rows);
  }

  get length(): number {
    return (this.#cache?.length ?? 0) - this.#padding;
  }

  get byteLength(): number {
    return this.#cache?.byteLength ?? 0;
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
    this.#expectRoom(
      inputsEmbeds,
      more.parents?.map((parent) => this.#mask[parent] ?? []),
    );
    const newMask = more.attentionMask ?? inputsEmbedsMask(inputsEmbeds);
    expectMask(newMask, inputsEmbeds);
    // Logits are those after the last position, of every row.
    if ((more.logits ?? 'last') === 'last') expectEndsUnpadded(newMask);
    if (more.parents) {
      cache.reorder(more.parents);
      this.#memory = this.#memory.pick(more.parents);
      this.#mask = more.parents.map((parent) => this.#mask[parent] ?? []);
      this.#updatePadding();
    }
    // Several positions are a prompt; other texts follow it. Where texts join and leave, each step decides anew.
    const isFirst = this.#isJoined || this.#firstRows === undefined;
    this.#firstRows = inputsEmbeds.dims[1] > 1 ? undefined : isFirst ? rows : this.#firstRows;
    return this.read(inputsEmbeds, newMask, more.logits ?? 'last');
  }

  /** Appends positions with the mask `newMask`. */
  async read(inputsEmbeds: TokenEmbeddings, newMask: AttentionMask, scored: 'last' | 'all'): Promise<Logits> {
    const cache = this.#open();
    const sequence = inputsEmbeds.dims[1];
    this.#expectRoom(inputsEmbeds);
    if (this.#padding > 0 && cache.length + sequence > cache.capacity) {
      cache.compact(this.#padding, sequence);
      this.#mask = this.#mask.map((row) => row.slice(this.#padding));
      this.#padding = 0;
    }
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

  async fork(rows?: readonly number[]): Promise<Decoding> {
    if (rows) return this.#pick(rows);
    const cache = this.#open().fork();
    return this.#twin(this.#memory.copy?.() ?? this.#memory, cache, this.#mask, this.#logits);
  }

  async crop(length: number): Promise<void> {
    const cache = this.#open();
    if (!Number.isInteger(length) || length < 1 || length > this.length) {
      throw new Blip2Error('INVALID_ARGUMENT', 'length must be within the decoding', {
        expected: `1 to ${this.length}`,
        got: String(length),
        where: 'length',
      });
    }
    if (length === this.length) return;
    const slots = length + this.#padding;
    cache.crop(slots);
    this.#logits = undefined;
    this.#mask = this.#mask.map((row) => row.slice(0, slots));
  }

  #append(other: Decoding, given: readonly number[] | undefined): void {
    const cache = this.#open();
    if (!(other instanceof CachedDecoding) || other.#stepper.step !== this.#stepper.step) throw otherModel();
    const { join } = this.#memory;
    const source = other as CachedDecoding<M>;
    const added = source.#open();
    const rows = given ?? Array.from({ length: added.rows }, (_, row) => row);
    expectRows(rows, added.rows, 'rows');
    if (rows.length === 0 || !join) return;
    this.#memory = join(source.#memory, rows);
    cache.appendRows(added, rows);
    this.#mask = [...this.#mask, ...rows.map((row) => source.#mask[row] ?? [])].map((row) =>
      paddedMask(row, cache.length),
    );
    this.#isJoined = true;
    this.#updatePadding();
    this.#logits = undefined;
  }

  /** A decoding of copies of some rows. */
  #pick(rows: readonly number[]): Decoding {
    const cache = this.#open();
    expectRows(rows, cache.rows, 'rows');
    const masks = rows.map((row) => this.#mask[row] ?? []);
    const padding = this.#isJoined ? commonPadding(masks) : 0;
    return this.#twin(
      this.#memory.copy?.(rows) ?? this.#memory.pick(rows),
      cache.pick(rows, padding),
      masks.map((mask) => mask.slice(padding)),
      this.#logits && pickRows(this.#logits, rows),
    );
  }

  #twin(...state: [memory: M, cache: KeyValueCache, mask: AttentionMask, logits: Logits | undefined]): Decoding {
    const twin = new CachedDecoding(this.#stepper, ...state);
    twin.#firstRows = this.#firstRows;
    twin.#isJoined = this.#isJoined;
    twin.#updatePadding();
    return twin;
  }

  #updatePadding(): void {
    this.#padding = this.#isJoined ? commonPadding(this.#mask) : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cache = undefined;
    this.#logits = undefined;
  }

  #open(): KeyValueCache {
    if (!this.#cache) throw new Blip2Error('DISPOSED', 'This decoding has been disposed', { fix: 'Start another one' });
    return this.#cache;
  }

  #expectRoom({ dims: [, sequence] }: TokenEmbeddings, mask = this.#mask): void {
    const { maxPositions } = this.#stepper;
    const past = this.#isJoined ? Math.max(...mask.map(countOnes)) : this.length;
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

function otherModel(): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', 'other must be a decoding of the same model', {
    argument: 'other',
    fix: 'Append decodings that the same model started',
  });
}
