import { Blip2Error } from '@blip2/interfaces';

export interface FetchImageOptions {
  readonly signal?: AbortSignal;
}

export async function fetchImage(url: URL, _options: FetchImageOptions = {}): Promise<Uint8Array> {
  throw new Blip2Error('INVALID_ARGUMENT', 'not yet', { where: url.href });
}
