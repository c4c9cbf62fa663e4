import fc, { type Arbitrary } from 'fast-check';

/** A change of a byte sequence; positions are taken modulo the length. */
interface ByteEdit {
  readonly kind: 'flip' | 'set' | 'delete' | 'insert' | 'copy' | 'truncate';
  readonly at: number;
  readonly from: number;
  readonly length: number;
  readonly value: number;
}

const byteEdit: Arbitrary<ByteEdit> = fc.record({
  kind: fc.constantFrom('flip', 'set', 'delete', 'insert', 'copy', 'truncate'),
  at: fc.nat(),
  from: fc.nat(),
  length: fc.integer({ min: 1, max: 64 }),
  value: fc.oneof(fc.nat(255), fc.constantFrom(0, 127, 128, 255)),
});

/** Files that are one of `seeds` with a few bytes changed, removed, added or moved. */
export function damagedBytes(seeds: readonly Uint8Array[]): Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(byteEdit, { minLength: 1, maxLength: 4 }))
    .map(([seed, edits]) => edits.reduce(editBytes, seed));
}

function editBytes(bytes: Uint8Array, { kind, at, from, length, value }: ByteEdit): Uint8Array {
  const position = bytes.byteLength === 0 ? 0 : at % bytes.byteLength;
  const before = bytes.subarray(0, position);
  const rest = bytes.subarray(position);
  if (kind === 'truncate') return before;
  if (kind === 'delete') return Buffer.concat([before, rest.subarray(length)]);
  if (kind === 'insert') return Buffer.concat([before, new Uint8Array(length).fill(value), rest]);
  if (kind === 'copy') {
    const start = bytes.byteLength === 0 ? 0 : from % bytes.byteLength;
    return Buffer.concat([before, bytes.subarray(start, start + length), rest]);
  }
  const changed = Uint8Array.from(bytes);
  const old = changed[position];
  if (old !== undefined) changed[position] = kind === 'set' ? value : old ^ (1 << (value % 8));
  return changed;
}

/** A change of a JSON value: the place is taken modulo the number of places. */
interface JsonEdit {
  readonly kind: 'replace' | 'delete' | 'add' | 'rename' | 'copy' | 'wrap';
  readonly at: number;
  readonly from: number;
  readonly value: unknown;
  readonly name: string;
}

/** Values at the edges of what readers expect. */
export const oddValue: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, false, 0, -1, 1, 0.5, -0, 2 ** 31, 2 ** 31 - 1, 2 ** 53, -(2 ** 53), 1e308, 1e-320),
  fc.constantFrom(
    '',
    '0',
    ' ',
    'null',
    '__proto__',
    '../..',
    '\u0000',
    '\ud800',
    'a'.repeat(1000),
    [],
    {},
    [[]],
    [null],
  ),
  fc.integer({ min: -10, max: 5000 }),
  fc.double(),
  fc.string(),
  fc.jsonValue({ maxDepth: 2 }),
);

const oddName = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', 'length', '', 'hidden_size', 'model_type', 'type', 'vocab'),
  fc.string(),
);

const jsonEdit: Arbitrary<JsonEdit> = fc.record({
  kind: fc.constantFrom('replace', 'replace', 'delete', 'add', 'rename', 'copy', 'wrap'),
  at: fc.nat(),
  from: fc.nat(),
  value: oddValue,
  name: oddName,
});

/** JSON values that are one of `seeds` with a few members replaced, removed, added, renamed or moved. */
export function damagedJson(seeds: readonly unknown[]): Arbitrary<unknown> {
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(jsonEdit, { minLength: 1, maxLength: 4 }))
    .map(([seed, edits]) => {
      const root = { value: structuredClone(seed) };
      for (const edit of edits) editJson(root, edit);
      return root.value;
    });
}

type Container = Record<string, unknown>;
interface Place {
  readonly container: Container;
  readonly key: string;
}

/** Every member of every object and list. Long lists, such as vocabularies, count with some of their members. */
function placesOf(root: Container): readonly Place[] {
  const places: Place[] = [];
  const visit = (container: Container): void => {
    const keys = Object.keys(container);
    const step = Math.max(1, Math.floor(keys.length / 50));
    keys.forEach((key, index) => {
      if (index % step !== 0) return;
      places.push({ container, key });
      const value = container[key];
      if (value !== null && typeof value === 'object') visit(value as Container);
    });
  };
  visit(root);
  return places;
}

function editJson(root: { value: unknown }, { kind, at, from, value: given, name }: JsonEdit): void {
  // Generated values are shared between cases.
  const value: unknown = structuredClone(given);
  const places = placesOf(root);
  const place = places[at % places.length];
  const source = places[from % places.length];
  if (!place || !source) return;
  const { container, key } = place;
  const set = (name: string, value: unknown): void => {
    Object.defineProperty(container, name, { value, enumerable: true, configurable: true, writable: true });
  };
  if (kind === 'replace') set(key, value);
  else if (kind === 'add') set(Array.isArray(container) ? String(container.length) : name, value);
  else if (kind === 'copy') set(key, structuredClone(source.container[source.key]));
  else if (kind === 'wrap') set(key, [container[key]]);
  else if (container === root) set(key, null);
  else {
    const old = container[key];
    if (Array.isArray(container)) container.splice(Number(key), 1);
    else Reflect.deleteProperty(container, key);
    if (kind === 'rename' && !Array.isArray(container)) set(name, old);
  }
}
