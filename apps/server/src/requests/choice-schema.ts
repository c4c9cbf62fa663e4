import { Blip2Error } from '@blip2/interfaces';

/** A JSON schema that is answered by ranking: an object with one property out of a list of values. */
export interface ChoiceSchema {
  readonly property: string;
  /** What the property means, if the schema says so. */
  readonly description: string | undefined;
  readonly values: readonly (string | number | boolean)[];
}

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads a JSON schema.
 * @param field Name of the schema in the request.
 * @throws Blip2Error `UNSUPPORTED_FIELD` for any other schema than an object with one `enum` property.
 */
export function choiceSchema(schema: unknown, field: string): ChoiceSchema {
  const { properties } = toObject(schema);
  const entries = Object.entries(toObject(properties));
  const [first] = entries;
  const { enum: values, description } = toObject(first?.[1]);
  if (!first || entries.length > 1 || !Array.isArray(values) || values.length === 0 || !values.every(isValue))
    throw new Blip2Error('UNSUPPORTED_FIELD', `${field} must be an object with one property, which has an enum`, {
      argument: field,
      fix: 'The values of the enum are ranked; other JSON cannot be promised',
    });
  return { property: first[0], description: typeof description === 'string' ? description : undefined, values };
}

/** The answer as JSON. */
export function choiceJson({ property }: ChoiceSchema, value: ChoiceSchema['values'][number]): string {
  return JSON.stringify({ [property]: value });
}

function toObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function isValue(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value) && String(value).trim() !== '';
}
