/** Callbacks of each signal, called by one listener: Node warns of a leak beyond ten listeners. */
const callbacks = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `callback` once when the signal aborts. Returns the function that prevents it. */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) return () => {};
  const known = callbacks.get(signal);
  const registered = known ?? new Set();
  registered.add(callback);
  if (!known) {
    callbacks.set(signal, registered);
    signal.addEventListener('abort', () => [...registered].forEach((each) => each()), { once: true });
  }
  return () => void registered.delete(callback);
}
