/** A priority queue of numbers, smallest first. */
export interface Heap {
  push(value: number): void;
  /** Removes and returns the smallest number. */
  pop(): number | undefined;
  /** Number of levels: the steps of one operation. */
  depth(): number;
}

/** Creates an empty binary heap. */
export function createHeap(): Heap {
  const values: number[] = [];
  const at = (index: number): number => values[index] ?? Infinity;
  return {
    push(value) {
      let index = values.length;
      values.push(value);
      while (index > 0) {
        const parent = (index - 1) >> 1;
        if (at(parent) <= value) break;
        values[index] = at(parent);
        index = parent;
      }
      values[index] = value;
    },
    pop() {
      const smallest = values[0];
      const last = values.pop();
      if (last === undefined || values.length === 0) return smallest;
      let index = 0;
      for (;;) {
        let child = 2 * index + 1;
        if (at(child + 1) < at(child)) child++;
        if (at(child) >= last) break;
        values[index] = at(child);
        index = child;
      }
      values[index] = last;
      return smallest;
    },
    depth: () => 32 - Math.clz32(values.length + 1),
  };
}
