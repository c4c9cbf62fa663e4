import { ATTENTION_PULLBACKS } from '../nn/attention-pullback.ts';
import { NORM_PULLBACKS } from '../nn/norm-pullback.ts';
import { ROTARY_PULLBACKS } from '../nn/rotary-embedding.ts';
import { CAST_PULLBACKS } from '../ops/cast.ts';
import { CONV_PULLBACKS } from '../ops/conv.ts';
import { ELEMENTWISE_PULLBACKS } from '../ops/elementwise-pullbacks.ts';
import { GATHER_PULLBACKS } from '../ops/gather.ts';
import { MATMUL_PULLBACKS } from '../ops/matmul.ts';
import { REDUCE_PULLBACKS } from '../ops/reduce.ts';
import { RESIZE_PULLBACKS } from '../ops/resize.ts';
import { SHAPE_PULLBACKS } from '../ops/shape-pullbacks.ts';
import { SOFTMAX_PULLBACKS } from '../ops/softmax.ts';
import type { Pullbacks } from './pullback.ts';

/** The pullbacks of all operators, each declared beside its operator. */
export const PULLBACKS: Pullbacks = {
  ...CAST_PULLBACKS,
  ...ELEMENTWISE_PULLBACKS,
  ...MATMUL_PULLBACKS,
  ...REDUCE_PULLBACKS,
  ...SOFTMAX_PULLBACKS,
  ...SHAPE_PULLBACKS,
  ...GATHER_PULLBACKS,
  ...CONV_PULLBACKS,
  ...RESIZE_PULLBACKS,
  ...NORM_PULLBACKS,
  ...ROTARY_PULLBACKS,
  ...ATTENTION_PULLBACKS,
};
