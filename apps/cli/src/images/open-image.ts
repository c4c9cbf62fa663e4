import { decodeImage, type DecodeImageOptions, resize } from '@blip2/processor';

import { thumbnailOf } from '../report/thumbnail-of.ts';
import type { OpenImage } from './image-port.ts';

/**
 * Decodes with the library: upright, and with URLs allowed, because the user named them. Resizes as the model's image
 * processor would, which then only rescales and normalizes. A 36 MB photograph becomes 150 KB while it waits.
 */
export const openImage: OpenImage = async (
  source,
  { resizing, allowPrivateUrls = false, thumbnail = false, signal },
) => {
  const options: DecodeImageOptions = { autoOrient: true, allowUrls: true, allowPrivateUrls, signal };
  const decoded = await decodeImage(source, options);
  const [height, width] = decoded.dims;
  const opened = {
    image: resizing ? resize(decoded, resizing.height, resizing.width, resizing.resample) : decoded,
    width,
    height,
  };
  return thumbnail ? { ...opened, thumbnail: await thumbnailOf(opened) } : opened;
};
