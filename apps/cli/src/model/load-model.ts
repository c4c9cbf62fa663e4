import { Blip2Error } from '@blip2/interfaces';
import type { LoadModel } from './model-port.ts';

export const loadModel: LoadModel = async () => {
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'not connected');
};
