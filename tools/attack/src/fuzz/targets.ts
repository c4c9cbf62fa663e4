import type { Target } from './target.ts';
import { configTarget } from './targets/config-target.ts';
import { hubTarget } from './targets/hub-target.ts';
import { imageTarget } from './targets/image-target.ts';
import { requestTarget } from './targets/request-target.ts';
import { safetensorsTarget } from './targets/safetensors-target.ts';
import { serverTarget } from './targets/server-target.ts';
import { shardIndexTarget } from './targets/shard-index-target.ts';
import { tokenizerTarget } from './targets/tokenizer-target.ts';

/** Every entry point that reads untrusted input. */
export const targets: readonly Target<unknown>[] = [
  safetensorsTarget,
  shardIndexTarget,
  configTarget,
  tokenizerTarget,
  imageTarget,
  hubTarget,
  requestTarget,
  serverTarget,
];
