import type { Blip2Error } from '@blip2/interfaces';

/** One image to work on, not opened yet, or an argument that named none. */
export type ImageInput = {
  /** How outputs call it: the path or URL as given, or `-`. */
  readonly name: string;
} & ({ readonly source: string | URL | 'stdin' } | { readonly error: Blip2Error });
