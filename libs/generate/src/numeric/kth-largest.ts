/** The `k`-th largest of `values` (equal values count one by one); the smallest if there are fewer. O(n log k). */
export function kthLargest(values: Float32Array, k: number): number {
  const size = Math.min(k, values.length);
  if (size === 0) return -Infinity;
  const heap = values.slice(0, size).sort();
  for (let index = size; index < values.length; index++) {
    const value = values[index]!;
    if (value > heap[0]!) replaceSmallest(heap, value);
  }
  return heap[0]!;
}

/** Replaces the root of a heap whose root is its smallest value. */
function replaceSmallest(heap: Float32Array, value: number): void {
  let parent = 0;
  for (;;) {
    const left = 2 * parent + 1;
    if (left >= heap.length) break;
    const child = left + 1 < heap.length && heap[left + 1]! < heap[left]! ? left + 1 : left;
    if (heap[child]! >= value) break;
    heap[parent] = heap[child]!;
    parent = child;
  }
  heap[parent] = value;
}
