import type { Blip2Config } from '@blip2/config';
import { mustBe } from '@blip2/interfaces';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import { expectComplete } from '../checkpoint/whole-weights.ts';
import type { ModelLoader } from '../models/model-loader.ts';
import { buildUnchanged } from '../parts/build-unchanged.ts';
import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { expectConfig, openRandomParts } from '../parts/random-parts.ts';
import { expectTextInput, type RetrievalContent, retrievalTensors } from './retrieval-content.ts';

type Assemble<Model> = (parts: CheckpointParts) => Promise<Model>;

/** The loader of a retrieval model that `assemble` builds from the parts of a checkpoint. */
export function createRetrievalLoader<Model>(
  content: RetrievalContent,
  assemble: Assemble<Model>,
): ModelLoader<string | ModelSources, Blip2Config, Model> {
  return {
    fromPretrained: (source, options = {}) => openRetrieval(source, options, content, assemble),
    async fromConfig(config, options = {}) {
      expectConfig(config);
      if (content.parts.includes('embeddings')) expectTextInput(config, 'config');
      const { architecture } = content;
      const tensors = retrievalTensors(config, content);
      return buildUnchanged(await openRandomParts(config, options, { tensors, architecture }), (parts) =>
        assembleComplete(parts, content, assemble),
      );
    },
  };
}

/**
 * Opens a checkpoint and builds a retrieval model from its parts, which are disposed of if that fails.
 * @throws Blip2Error `INVALID_ARGUMENT` for the source of a language model, which these models do not have.
 */
export async function openRetrieval<Model>(
  source: string | ModelSources,
  options: LoadOptions,
  content: RetrievalContent,
  assemble: Assemble<Model>,
): Promise<Model> {
  if (typeof source === 'object' && source?.language !== undefined)
    throw mustBe('source.language', 'omitted, because retrieval models have no language model', source.language);
  return buildUnchanged(await openCheckpointParts(source, options), (parts) =>
    assembleComplete(parts, content, assemble),
  );
}

async function assembleComplete<Model>(
  parts: CheckpointParts,
  content: RetrievalContent,
  assemble: Assemble<Model>,
): Promise<Model> {
  if (content.parts.includes('embeddings')) expectTextInput(parts.config, parts.folder);
  await expectComplete(parts.folders, retrievalTensors(parts.config, content));
  return assemble(parts);
}
