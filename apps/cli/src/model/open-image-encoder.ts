import { Blip2Features, encoderKey } from '@blip2/blip2';

import { dtypeOption } from '../options/dtype.ts';
import type { ImageEncoder, Load } from './model-port.ts';

/** Opens the vision encoder of any checkpoint. It is loaded, in a worker thread, with the first images. */
export const openImageEncoder: Load<ImageEncoder> = async (source, { dtype, hosts: _, module: __, ...settings }) => {
  const options = { ...settings, ...dtypeOption(dtype) };
  const key = await encoderKey(source, options);
  let loading: Promise<Blip2Features> | undefined;
  return {
    key,
    async encode(images, signal) {
      loading ??= Blip2Features.fromPretrained(source, { ...options, isolate: 'worker' });
      return (await loading).embed({ images }, { part: 'vision', ...(signal && { signal }) });
    },
    async [Symbol.asyncDispose]() {
      await (await loading?.catch(() => undefined))?.dispose();
    },
  };
};
