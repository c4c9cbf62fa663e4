import { Blip2Error } from '@blip2/interfaces';

import { show } from './json-values.ts';

/** Attention splits its width into heads of equal size. */
export function requireWholeHeads(width: number, heads: number, where: string): void {
  if (width % heads === 0) return;
  throw new Blip2Error('INVALID_CONFIG', 'hidden_size cannot be split into heads', {
    expected: 'a multiple of num_attention_heads',
    got: `${width} for ${heads} heads`,
    where,
  });
}

/** A configuration of another model family, named together with those that are supported. */
export function unsupportedModelType(found: unknown, supported: readonly string[], where: string): Blip2Error {
  return new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The model type is not supported', {
    expected: supported.length === 1 ? `${supported[0]}` : `one of ${supported.join(', ')}`,
    got: show(found),
    where,
    ...(typeof found === 'string' && { subject: found }),
  });
}
