import fc, { type Arbitrary } from 'fast-check';

/** A JSON schema of an OpenAPI document. */
export interface JsonSchema {
  readonly type?: string;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
}

/** Texts and values that get past the first checks of a field, by its name. */
export type LikelyValues = Readonly<Record<string, readonly unknown[]>>;

const MAX_DEPTH = 8;
const MAX_ITEMS = 3;
/** Of 100 values, so many are of any kind, whatever the schema. */
const ODD_WEIGHT = 3;
const SCHEMA_WEIGHT = 97;

const numbers: Arbitrary<number> = fc.constantFrom(
  1,
  1,
  1,
  1,
  2,
  3,
  0,
  0.5,
  -1,
  1e9,
  2 ** 53,
  2 ** 64,
  1e308,
  -1e308,
  1e-300,
);
const texts: Arbitrary<string> = fc.oneof(
  fc.constantFrom('', ' ', 'yes', 'x'.repeat(5000), 'é'.repeat(300), '\u0000', '\ud800', '/etc/passwd', '../../x'),
  fc.constantFrom(
    'data:,',
    'data:image/png;base64,AAAA',
    'data:text/html,<b>',
    'http://127.0.0.1:1/x.png',
    'file:///x',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
/** A value that no schema asks for. */
const odd: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, 0, -1, '', [], {}, [[]], { a: 1 }, 1e308),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(100, 20_000).map(nested),
);

/** Lists in lists. Text, since `JSON.stringify` itself fails for deep values. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function nested(depth: number): RawJson {
  return new RawJson(`${'['.repeat(depth)}${']'.repeat(depth)}`);
}

/** Values that mostly fit a schema, with a few that do not at any place. */
export function valuesOf(schema: JsonSchema, likely: LikelyValues, name = '', depth = 0): Arbitrary<unknown> {
  if (depth > MAX_DEPTH) return odd;
  return fc.oneof(
    { weight: SCHEMA_WEIGHT, arbitrary: fittingValues(schema, likely, name, depth) },
    { weight: ODD_WEIGHT, arbitrary: odd },
  );
}

function fittingValues(schema: JsonSchema, likely: LikelyValues, name: string, depth: number): Arbitrary<unknown> {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) return fc.oneof(...alternatives.map((each) => valuesOf(each, likely, name, depth + 1)));
  if (schema.const !== undefined) return fc.constant(schema.const);
  const known = Object.hasOwn(likely, name) ? likely[name] : undefined;
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'object':
      return objectsOf(schema, likely, depth);
    case 'array': {
      const items = valuesOf(schema.items ?? {}, likely, name, depth + 1);
      return fc.array(items, { maxLength: MAX_ITEMS });
    }
    case 'integer':
    case 'number':
      return numbers;
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default: {
      const any = schema.type === 'string' ? texts : odd;
      return known ? fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...known) }, any) : any;
    }
  }
}

function objectsOf(
  { properties = {}, required = [], additionalProperties }: JsonSchema,
  likely: LikelyValues,
  depth: number,
): Arbitrary<unknown> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => {
      const value = valuesOf(schema, likely, name, depth + 1);
      return [name, required.includes(name) ? value : sometimes(value)];
    }),
  );
  const extra =
    typeof additionalProperties === 'object' ? valuesOf(additionalProperties, likely, 'key', depth + 1) : odd;
  const more = fc.dictionary(fc.constantFrom('key', 'tools', 'future', '__proto__', 'constructor'), extra, {
    maxKeys: 2,
  });
  // Fields of a schema without properties are its only content.
  const hasNames = Object.keys(properties).length > 0;
  return fc.tuple(fc.record(fields), fc.nat({ max: 9 }), more).map(([own, share, others]) => ({
    ...own,
    ...(share === 0 || !hasNames ? others : {}),
  }));
}

/** Optional fields are mostly absent, so that most bodies get past the checks of single fields. */
function sometimes(value: Arbitrary<unknown>): Arbitrary<unknown> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
}

/** JSON of a value, in which `RawJson` stands for itself. */
export function toJson(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map((each) => toJson(each ?? null)).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return `{${entries.map(([name, each]) => `${JSON.stringify(name)}:${toJson(each)}`).join()}}`;
}
