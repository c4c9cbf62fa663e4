import { decodeImage as decode } from '@blip2/processor';
import type { DecodeImage } from '../model/model-port.ts';

/** The library's decoder, as the command line promises it: upright, and with URLs, because a person named them. */
export const decodeImage: DecodeImage = (source, { signal }) => decode(source, { autoOrient: true, allowUrls: true, signal });
