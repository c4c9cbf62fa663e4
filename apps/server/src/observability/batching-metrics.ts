import type { BatchingStatus } from '@blip2/blip2';
import { Counter, Gauge, type Registry } from 'prom-client';

import type { ModelRegistry } from '../models/model-registry.ts';

type Value = (status: BatchingStatus) => number;

/** What rises as long as a model is loaded. */
const COUNTERS: readonly (readonly [name: string, help: string, value: Value])[] = [
  ['blip2:decoding_steps_total', 'Steps of the language model.', ({ decoding }) => decoding.steps],
  [
    'blip2:decoded_rows_total',
    'Rows of all steps; divided by the steps, the mean size of a batch.',
    ({ decoding }) => decoding.rowSteps,
  ],
  ['blip2:encoder_batches_total', 'Batches of images that were encoded.', ({ encoding }) => encoding.batches],
  ['blip2:encoded_images_total', 'Images that were encoded.', ({ encoding }) => encoding.images],
  [
    'blip2:mm_cache_queries_total',
    'Images that were looked up in the cache.',
    ({ imageCache: { hits, misses } }) => hits + misses,
  ],
  ['blip2:mm_cache_hits_total', 'Images that were found there.', ({ imageCache }) => imageCache.hits],
  [
    'blip2:prefix_cache_queries_total',
    'Tokens of prompts about kept images.',
    ({ imageCache }) => imageCache.promptTokens,
  ],
  [
    'blip2:prefix_cache_hits_total',
    'Tokens of these that continued an earlier prompt and were not computed again.',
    ({ imageCache }) => imageCache.reusedTokens,
  ],
];

/** What goes up and down. */
const GAUGES: readonly (readonly [name: string, help: string, value: Value])[] = [
  ['blip2:batch_rows', 'Texts that are decoded together.', ({ decoding }) => decoding.rows],
  ['blip2:prompts_waiting', 'Prompts and texts that wait for the language model.', ({ decoding }) => decoding.waiting],
  ['blip2:images_waiting', 'Images that wait for the encoder.', ({ encoding }) => encoding.waiting],
  ['blip2:mm_cache_bytes', 'Bytes of kept images and prompts.', ({ imageCache }) => imageCache.bytes],
];

/** Metrics of what the requests of a model share. */
export function batchingMetrics(models: ModelRegistry, registers: Registry[]): void {
  const labelNames = ['model_name'] as const;
  const each = (set: (labels: { readonly model_name: string }, status: BatchingStatus) => void): void => {
    for (const { name, batching } of models.known()) if (batching) set({ model_name: name }, batching);
  };
  for (const [name, help, value] of COUNTERS) {
    new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        each((labels, status) => this.inc(labels, value(status)));
      },
    });
  }
  for (const [name, help, value] of GAUGES) {
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        each((labels, status) => this.set(labels, value(status)));
      },
    });
  }
}
