import type { LanguageModel, VisionEncoder } from '@blip2/interfaces';

import { isolationOf } from './checkpoint-parts.ts';
import type { LoadOptions } from './load-options.ts';

interface PreparableModel {
  readonly pipeline: { readonly vision: VisionEncoder; readonly language: LanguageModel };
}

/**
 * Starts to prepare the parts of a model that run in threads or processes, so that their sessions are open before the
 * first use, and
 * returns the model. A failure is ignored here: the first use meets and reports it.
 */
export function prepareParts<Model extends PreparableModel>(
  model: Model,
  options: Pick<LoadOptions, 'isolate' | 'createSession'>,
): Model {
  const { vision, language } = model.pipeline;
  if (isolationOf(options) !== 'inline') for (const part of [vision, language]) part.prepare?.().catch(() => undefined);
  return model;
}
