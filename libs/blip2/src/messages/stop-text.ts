/**
 * Removes a stop string and everything after it from a text that arrives in pieces. What may be the beginning of a stop
 * string is held back until it is known.
 */
export interface StopText {
  /** Adds a piece and returns what is certain. */
  add(piece: string): string;
  /** The rest, at the end of the text. */
  end(): string;
  /** Whether a stop string has been found. */
  readonly hasStopped: boolean;
}

/** @param stops None: every piece is returned at once. */
export function createStopText(stops: readonly string[]): StopText {
  let held = '';
  let hasStopped = false;
  return {
    add(piece) {
      if (hasStopped) return '';
      held += piece;
      const at = firstIndex(held, stops);
      hasStopped = at < held.length;
      const certain = hasStopped ? at : held.length - possibleStart(held, stops);
      const text = held.slice(0, certain);
      held = held.slice(certain);
      return text;
    },
    end: () => (hasStopped ? '' : held),
    get hasStopped() {
      return hasStopped;
    },
  };
}

/** Where the first stop string begins; the length of the text if it contains none. */
function firstIndex(text: string, stops: readonly string[]): number {
  return Math.min(...[text.length, ...stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)]);
}

/** Length of the longest end of a text that a stop string begins with. */
function possibleStart(text: string, stops: readonly string[]): number {
  const lengths = stops.map((stop) => {
    for (let length = Math.min(stop.length - 1, text.length); length > 0; length--)
      if (text.endsWith(stop.slice(0, length))) return length;
    return 0;
  });
  return Math.max(0, ...lengths);
}
