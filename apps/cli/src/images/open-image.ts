import { decodeImage, type DecodeImageOptions, resize } from '@blip2/processor';

import type { OpenImage } from '../model/model-port.ts';
import { thumbnailOf } from '../report/thumbnail-of.ts';

/**
 * The library's decoder, as the command line promises it: upright, and with URLs, because a person named them. Resized
 * as the model's image processor would do it:
 * what is left for that is to turn levels into numbers, and a photograph of 36 MB waits for its turn as 150 KB.
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
