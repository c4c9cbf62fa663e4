const encoder = new TextEncoder();

/**
 * Creates the byte fallback of a vocabulary: a function that maps a text to the ids of the tokens `<0x00>` to `<0xFF>`
 * of its UTF-8 bytes; `undefined` if one of them does not exist.
 */
export function byteTokens(vocabulary: ReadonlyMap<string, number>): (text: string) => readonly number[] | undefined {
  const idOf = Array.from({ length: 256 }, (_, byte) =>
    vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  return (text) => {
    const ids: number[] = [];
    for (const byte of encoder.encode(text)) {
      const id = idOf[byte];
      if (id === undefined) return undefined;
      ids.push(id);
    }
    return ids;
  };
}
