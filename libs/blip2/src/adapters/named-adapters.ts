import { mustBe } from '@blip2/interfaces';

/**
 * LoRA adapters of PEFT for a model: a folder or a Hub id, a list of them that apply together, or an object of them by
 * name, of which the first applies until others are selected.
 */
export type ModelAdapters = string | readonly string[] | Readonly<Record<string, string>>;

/** The names of adapters to apply together, or null for none. */
export type AdapterSelection = string | readonly string[] | null;

/** The sources of adapters by name, and the names of those that apply first. */
export interface NamedAdapters {
  readonly sources: ReadonlyMap<string, string>;
  readonly active: readonly string[];
}

const EXPECTED = 'a folder or a Hub id, a list of them, or an object of them by name';

/**
 * Reads the option `adapters`. In a list, the sources themselves are the names.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function namedAdapters(adapters: ModelAdapters | undefined): NamedAdapters {
  if (adapters === undefined) return { sources: new Map(), active: [] };
  if (typeof adapters !== 'object' && typeof adapters !== 'string') throw mustBe('adapters', EXPECTED, adapters);
  const isNamed = typeof adapters === 'object' && !Array.isArray(adapters);
  const entries: readonly (readonly [string, unknown])[] = isNamed
    ? Object.entries(adapters)
    : [adapters].flat().map((source) => [String(source), source] as const);
  const sources = new Map<string, string>();
  for (const [name, source] of entries) {
    if (typeof source !== 'string' || source === '')
      throw mustBe(isNamed ? `adapters.${name}` : 'adapters', isNamed ? 'a folder or a Hub id' : EXPECTED, source);
    if (name === '' || sources.has(name))
      throw mustBe('adapters', 'different adapters with names', name, { fix: 'Give each adapter once' });
    sources.set(name, source);
  }
  const names = [...sources.keys()];
  return { sources, active: isNamed ? names.slice(0, 1) : names };
}

/**
 * The names of a selection, in their order.
 * @throws Blip2Error `INVALID_ARGUMENT` for names of adapters that the model was not loaded with.
 */
export function selectedNames(selection: AdapterSelection, known: Iterable<string>): readonly string[] {
  const names = [...known];
  const selected: unknown = selection === null ? [] : typeof selection === 'string' ? [selection] : selection;
  if (!Array.isArray(selected)) throw mustBe('names', 'the name of an adapter, a list of names, or null', selection);
  for (const name of selected as unknown[])
    if (typeof name !== 'string' || !names.includes(name))
      throw mustBe(
        'names',
        names.length > 0 ? `names among ${names.join(', ')}` : 'null: no adapters were loaded',
        name,
        {
          fix: 'Load the model with this adapter: fromPretrained(source, { adapters: { name: folder } })',
        },
      );
  return [...new Set(selected as string[])];
}

/**
 * `setAdapters` of a model without adapters: accepts none of them only.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export async function noAdapters(selection: AdapterSelection): Promise<void> {
  selectedNames(selection, []);
}
