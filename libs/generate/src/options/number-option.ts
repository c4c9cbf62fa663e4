import { Blip2Error, type GenerationOptions, generationOptions } from '@blip2/interfaces';

type NumberName = {
  [Name in keyof GenerationOptions]-?: NonNullable<GenerationOptions[Name]> extends number ? Name : never;
}[keyof GenerationOptions];

/** An option's value, or its default in the table of options. `INVALID_ARGUMENT` if it has neither. */
export function numberOption(options: GenerationOptions, name: NumberName): number {
  const value = options[name] ?? generationOptions[name].default;
  if (typeof value === 'number') return value;
  throw new Blip2Error('INVALID_ARGUMENT', 'An option is needed here that has no default', {
    where: name,
    expected: 'a number',
  });
}
