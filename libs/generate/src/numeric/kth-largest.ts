/** The `k`-th largest of `values`, duplicates counted; the smallest if there are fewer than `k`. O(n log k). */
export function kthLargest(values: Float32Array, k: number): number {
  const heap = values.slice(0, Math.min(k, values.length)).sort();
  let smallest = heap[0] ?? -Infinity;
  for (let index = heap.length; index < values.length; index++) {
    const value = values[index] ?? 0;
    if (value > smallest) smallest = replaceSmallest(heap, value);
  }
  return smallest;
}

/** Replaces the root of a min-heap and returns the new root. */
function replaceSmallest(heap: Float32Array, value: number): number {
  let parent = 0;
  for (;;) {
    const left = 2 * parent + 1;
    if (left >= heap.length) break;
    const child = left + 1 < heap.length && (heap[left + 1] ?? 0) < (heap[left] ?? 0) ? left + 1 : left;
    const smaller = heap[child] ?? 0;
    if (smaller >= value) break;
    heap[parent] = smaller;
    parent = child;
  }
  heap[parent] = value;
  return heap[0] ?? value;
}
