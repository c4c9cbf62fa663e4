import { Blip2Error } from '@blip2/interfaces';

/** A value that a schema can list. */
export type ChoiceValue = string | number | boolean;

/** A JSON schema that is answered by ranking: an object with one property out of a list of values. */
export interface ChoiceSchema {
  readonly property: string;
  /** What the property means, if the schema says so. */
  readonly description: string | undefined;
  readonly values: readonly ChoiceValue[];
}

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads a JSON schema. The values are those of an `enum`, of a `const`, or of several `const`s in `anyOf` or `oneOf`;
 * they may be behind a `$ref`, where Pydantic writes them.
 * @param field Name of the schema in the request.
 * @throws Blip2Error `UNSUPPORTED_FIELD` for any other schema than an object with one such property.
 */
export function choiceSchema(schema: unknown, field: string): ChoiceSchema {
  const entries = Object.entries(toObject(resolved(schema, schema)['properties']));
  const [first] = entries;
  const property = resolved(first?.[1], schema);
  const values = valuesOf(property, schema);
  if (!first || entries.length > 1 || !values || values.length === 0 || !values.every(isValue))
    throw new Blip2Error('UNSUPPORTED_FIELD', `${field} must be an object with one property, which has an enum`, {
      argument: field,
      fix: 'The values of the enum are ranked; other JSON cannot be promised',
    });
  const description = toObject(first[1])['description'] ?? property['description'];
  return { property: first[0], description: typeof description === 'string' ? description : undefined, values };
}

/** The answer as JSON. */
export function choiceJson({ property }: ChoiceSchema, value: ChoiceValue): string {
  return JSON.stringify({ [property]: value });
}

function valuesOf(schema: JsonObject, root: unknown): readonly unknown[] | undefined {
  if (Array.isArray(schema['enum'])) return schema['enum'];
  if ('const' in schema) return [schema['const']];
  const alternatives = schema['anyOf'] ?? schema['oneOf'];
  if (!Array.isArray(alternatives)) return undefined;
  return alternatives.map((alternative) => resolved(alternative, root)['const']);
}

/** The schema that a `$ref` within the document names, if it is one. References in references are not followed. */
function resolved(schema: unknown, root: unknown): JsonObject {
  const { allOf } = toObject(schema);
  // Pydantic wraps a reference that has a description.
  const { $ref: reference } = toObject(Array.isArray(allOf) && allOf.length === 1 ? allOf[0] : schema);
  if (typeof reference !== 'string' || !reference.startsWith('#/')) return toObject(schema);
  const names = reference.slice('#/'.length).split('/');
  const target = names.reduce<unknown>((value, name) => ownValue(value, name), root);
  return toObject(target);
}

function ownValue(value: unknown, name: string): unknown {
  const object = toObject(value);
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function toObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function isValue(value: unknown): value is ChoiceValue {
  return ['string', 'number', 'boolean'].includes(typeof value) && String(value).trim() !== '';
}
