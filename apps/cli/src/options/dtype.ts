import type { LoadOptions } from '@blip2/blip2';
import { mustBe } from '@blip2/interfaces';

type Dtype = NonNullable<LoadOptions['dtype']>;

/**
 * Parses `--dtype`: a precision or preset, or one per part as in `vision=int8,language=q4`. The library checks the
 * names and suggests alternatives.
 * @throws Blip2Error `UNSUPPORTED_DTYPE` if an entry is not of the form `part=precision`.
 */
export function dtypeOption(text: string | undefined): { readonly dtype?: Dtype } {
  if (text === undefined) return {};
  if (!text.includes('=')) return { dtype: text as Dtype };
  const entries = text.split(',').map((entry): readonly [string, string] => {
    const [part = '', precision = '', ...rest] = entry.split('=').map((word) => word.trim());
    if (part === '' || precision === '' || rest.length > 0) {
      throw mustBe('--dtype', 'part=precision,…', entry, {
        code: 'UNSUPPORTED_DTYPE',
        fix: 'For example --dtype vision=int8,language=q4',
      });
    }
    return [part, precision];
  });
  return { dtype: Object.fromEntries(entries) as Dtype };
}
