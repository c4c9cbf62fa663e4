import { Blip2Error } from '@blip2/interfaces';
import type { DecodeImage } from '../model/model-port.ts';

export const decodeImage: DecodeImage = async () => {
  throw new Blip2Error('UNSUPPORTED_IMAGE', 'not connected');
};
