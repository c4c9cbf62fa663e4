import { type GenerationOptions, generationOptions, mustBe } from '@blip2/interfaces';

type NumberName = {
  [Name in keyof GenerationOptions]-?: NonNullable<GenerationOptions[Name]> extends number ? Name : never;
}[keyof GenerationOptions];

/**
 * The value of a numeric option, or its default in the option table.
 * @throws Blip2Error `INVALID_ARGUMENT` if it has neither.
 */
export function numberOption(options: GenerationOptions, name: NumberName): number {
  const value = options[name] ?? generationOptions[name].default;
  if (typeof value === 'number') return value;
  throw mustBe(name, 'a number', value, { fix: 'It has no default' });
}
