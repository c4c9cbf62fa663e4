/** Quotes a text as one word of bash or zsh. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Quotes a text as one word of fish. */
export function fishWord(text: string): string {
  return `'${text.replace(/[\\']/g, String.raw`\$&`)}'`;
}
