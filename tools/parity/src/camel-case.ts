/** `last_hidden_state` → `lastHiddenState`: the rule that turns the manifest's names into this library's. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The other way: `lastHiddenState` → `last_hidden_state`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
