import type { Tensor, TensorType } from '@blip2/interfaces';

import type { Feed } from './mutation.ts';

/** The int64 input with this name, if the run has it. */
export function idsOf(feed: Feed, name: string): Tensor<'int64'> | undefined {
  const tensor = feed.get(name);
  return tensor && isOf(tensor, 'int64') ? tensor : undefined;
}

/** The float32 input with this name, if the run has it. */
export function floatsOf(feed: Feed, name: string): Tensor<'float32'> | undefined {
  const tensor = feed.get(name);
  return tensor && isOf(tensor, 'float32') ? tensor : undefined;
}

function isOf<T extends TensorType>(tensor: Tensor, type: T): tensor is Tensor<T> {
  return tensor.type === type;
}
