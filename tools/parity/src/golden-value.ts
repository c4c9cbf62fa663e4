import { isJsonObject, isStringList } from './json-shape.ts';

/** A value of a manifest: tensors by name, or plain JSON. */
export type GoldenValue =
  | { readonly form: 'tensor'; readonly name: string }
  | { readonly form: 'tensors'; readonly names: readonly string[] }
  | { readonly form: 'concat'; readonly names: readonly string[] }
  | { readonly form: 'json'; readonly value: unknown };

/**
 * Reads `{"tensor": NAME}`, `{"tensors": [NAME, …]}` and `{"concat": [NAME, …]}`; anything else is a JSON value.
 */
export function parseGoldenValue(value: unknown): GoldenValue {
  if (isJsonObject(value)) {
    const [key, ...others] = Object.keys(value);
    if (key !== undefined && others.length === 0) {
      const named = value[key];
      if (key === 'tensor' && typeof named === 'string') return { form: 'tensor', name: named };
      if ((key === 'tensors' || key === 'concat') && isStringList(named)) return { form: key, names: named };
    }
  }
  return { form: 'json', value };
}
