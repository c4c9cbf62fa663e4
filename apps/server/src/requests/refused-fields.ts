import { Blip2Error } from '@blip2/interfaces';

/** Whether the value of a field asks for nothing, so that it can be passed over. */
type IsHarmless = (value: unknown) => boolean;

/** Fields that would change the answer if they were supported, and the values that change nothing. */
export type RefusedFields = Readonly<Record<string, IsHarmless>>;

/** For `RefusedFields`. */
export const harmless = {
  never: (): boolean => false,
  empty: (value: unknown): boolean =>
    Array.isArray(value) ? value.length === 0 : typeof value === 'object' && Object.keys(value ?? {}).length === 0,
  zero: (value: unknown): boolean => value === 0,
  false: (value: unknown): boolean => value === false,
  oneOf:
    (...values: readonly unknown[]): IsHarmless =>
    (value) =>
      values.includes(value),
};

/**
 * Refuses fields that this server cannot honour. Absent and null fields pass, and so do fields that are not listed.
 * @throws Blip2Error `UNSUPPORTED_FIELD`, which names the field.
 */
export function refuseFields(body: object, refused: RefusedFields, fixes: Readonly<Record<string, string>> = {}): void {
  for (const [name, isHarmless] of Object.entries(refused)) {
    const value: unknown = (body as Readonly<Record<string, unknown>>)[name];
    if (value === undefined || value === null || isHarmless(value)) continue;
    throw new Blip2Error('UNSUPPORTED_FIELD', `${name} is not supported, and would change the answer`, {
      argument: name,
      fix: fixes[name] ?? 'Omit it',
    });
  }
}
