import { counterHash } from './counter-hash.ts';

/** Which examples each step uses. */
export interface ExampleOrder {
  /** Indices of the examples of a step, from 0, in the order of the batch. */
  batch(step: number): readonly number[];
}

/**
 * Every epoch uses each example once, in an order of its own (Fisher and Yates); epochs follow each other without a
 * gap, so that a batch may contain the end of one and the start of the next. The batch of a step depends on the seed
 * and the step only.
 */
export function createExampleOrder(count: number, batchSize: number, seed: number): ExampleOrder {
  let known: { readonly epoch: number; readonly order: Uint32Array } | undefined;
  const orderOf = (epoch: number): Uint32Array => {
    if (known?.epoch !== epoch) known = { epoch, order: shuffled(count, seed, epoch) };
    return known.order;
  };
  return {
    batch(step) {
      const start = step * batchSize;
      return Array.from({ length: batchSize }, (_, row) => {
        const position = start + row;
        return orderOf(Math.floor(position / count))[position % count] ?? 0;
      });
    },
  };
}

function shuffled(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor((counterHash(seed, epoch, last) / 2 ** 32) * (last + 1));
    const moved = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = moved;
  }
  return order;
}
