import type { LoadOptions } from '@blip2/blip2';
import { Blip2Error } from '@blip2/interfaces';

type Dtype = NonNullable<LoadOptions['dtype']>;

/**
 * `--dtype`: a precision or preset, or one per part as in `vision=int8,language=q4`. The library refuses unknown names
 * itself, and says what to use instead.
 */
export function dtypeOption(text: string | undefined): { readonly dtype?: Dtype } {
  if (text === undefined) return {};
  if (!text.includes('=')) return { dtype: text as Dtype };
  const entries = text.split(',').map((entry): readonly [string, string] => {
    const [part = '', precision = '', ...rest] = entry.split('=').map((word) => word.trim());
    if (part === '' || precision === '' || rest.length > 0) {
      throw new Blip2Error('UNSUPPORTED_DTYPE', 'This names no precision of a part', {
        where: '--dtype',
        argument: 'dtype',
        expected: 'part=precision,…',
        got: entry,
        fix: 'For example --dtype vision=int8,language=q4',
      });
    }
    return [part, precision];
  });
  return { dtype: Object.fromEntries(entries) as Dtype };
}
