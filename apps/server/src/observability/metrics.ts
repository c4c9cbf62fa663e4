import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { ModelRegistry } from '../models/model-registry.ts';
import type { RequestEntry } from '../options.ts';
import { batchingMetrics } from './batching-metrics.ts';

/** Upper bounds of the histograms in seconds: a token of the demo takes milliseconds, a caption of ViT-g seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100];

/** The metrics of a server. Names follow vLLM's, with `blip2` in place of `vllm`. */
export interface Metrics {
  /** Adds a request that has ended. */
  observe(entry: RequestEntry): void;
  readonly contentType: string;
  /** The text that Prometheus reads. */
  text(): Promise<string>;
}

/** Creates the metrics. They belong to one server, so that several can run in a process. */
export function createMetrics(models: ModelRegistry): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const labelNames = ['model_name'] as const;
  collectDefaultMetrics({ register: registry });

  const queueGauge = (name: string, help: string, value: 'running' | 'waiting'): void => {
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        for (const { name: model, queue } of models.known()) this.set({ model_name: model }, queue[value]);
      },
    });
  };
  queueGauge('blip2:num_requests_running', 'Requests that use a model.', 'running');
  queueGauge('blip2:num_requests_waiting', 'Requests that wait for a model.', 'waiting');
  batchingMetrics(models, registers);
  const histogram = (name: string, help: string): Histogram<'model_name'> =>
    new Histogram({ name, help, labelNames, registers, buckets: SECONDS });
  const firstToken = histogram('blip2:time_to_first_token_seconds', 'Seconds until the first token of a request.');
  const latency = histogram('blip2:e2e_request_latency_seconds', 'Seconds of a request, from its start to its end.');
  const encode = histogram('blip2:image_encode_seconds', 'Seconds to decode and encode the images of a request.');
  const counter = (name: string, help: string): Counter<'model_name'> =>
    new Counter({ name, help, labelNames, registers });
  const promptTokens = counter('blip2:prompt_tokens_total', 'Positions of prompts, images included.');
  const newTokens = counter('blip2:generation_tokens_total', 'Generated tokens.');
  const finished = new Counter({
    name: 'blip2:request_success_total',
    help: 'Requests that succeeded.',
    labelNames: ['model_name', 'finished_reason'],
    registers,
  });
  const failed = new Counter({
    name: 'blip2:request_failure_total',
    help: 'Requests that failed, by the code of their error.',
    labelNames: ['code'],
    registers,
  });

  return {
    observe({ model, code, milliseconds, firstTokenMs, encodeMs, finishReason, ...tokens }) {
      if (code !== undefined) failed.inc({ code });
      if (model === undefined) return;
      const labels = { model_name: model };
      latency.observe(labels, milliseconds / 1000);
      if (firstTokenMs !== undefined) firstToken.observe(labels, firstTokenMs / 1000);
      if (encodeMs !== undefined) encode.observe(labels, encodeMs / 1000);
      promptTokens.inc(labels, tokens.promptTokens ?? 0);
      newTokens.inc(labels, tokens.newTokens ?? 0);
      if (code === undefined) finished.inc({ ...labels, finished_reason: finishReason ?? 'stop' });
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
