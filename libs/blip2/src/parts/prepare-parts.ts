import type { LanguageModel, VisionEncoder } from '@blip2/interfaces';

import type { CallQueue } from '../lifetime/call-queue.ts';
import { isolationOf } from './checkpoint-parts.ts';
import type { LoadOptions } from './load-options.ts';

interface PreparableModel {
  readonly pipeline: {
    readonly vision: VisionEncoder;
    readonly language: LanguageModel;
  };
}

/**
 * Starts to prepare the parts of a model that run in threads or processes, so that their sessions are open before the
 * first use, and returns the model. While the model is idle, what would delay its second use is done. A failure is
 * ignored here: the next use meets and reports it.
 */
export function prepareParts<Model extends PreparableModel>(
  model: Model,
  options: Pick<LoadOptions, 'isolate' | 'hosts' | 'createSession'>,
  queue: CallQueue,
): Model {
  if (isolationOf(options) === 'inline') return model;
  const { vision, language } = model.pipeline;
  for (const part of [vision, language]) part.prepare?.().catch(() => undefined);
  queue.whenIdle(() => {
    for (const part of [vision, language]) part.prepare?.({ repeated: true }).catch(() => undefined);
  });
  return model;
}
