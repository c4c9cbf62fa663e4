import type { Blip2Config } from '@blip2/config';

import { expectComplete } from '../checkpoint/whole-weights.ts';
import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { openRandomParts, type RandomOptions } from '../parts/random-parts.ts';
import { expectTextInput, type RetrievalContent, retrievalTensors } from './retrieval-content.ts';

type Assemble<Model> = (parts: CheckpointParts) => Promise<Model>;

/** Opens a checkpoint and puts one of its models together; what was opened is closed again if that fails. */
export async function openRetrieval<Model>(
  source: string,
  options: LoadOptions,
  content: RetrievalContent,
  assemble: Assemble<Model>,
): Promise<Model> {
  return assembled(await openCheckpointParts(source, options), content, assemble);
}

/** The same with random weights. */
export async function openRandomRetrieval<Model>(
  config: Blip2Config,
  options: RandomOptions & LoadOptions,
  content: RetrievalContent,
  assemble: Assemble<Model>,
): Promise<Model> {
  if (content.parts.includes('embeddings')) expectTextInput(config, 'config');
  const { architecture } = content;
  return assembled(
    await openRandomParts(config, options, { tensors: retrievalTensors(config, content), architecture }),
    content,
    assemble,
  );
}

async function assembled<Model>(
  parts: CheckpointParts,
  content: RetrievalContent,
  assemble: Assemble<Model>,
): Promise<Model> {
  try {
    if (content.parts.includes('embeddings')) expectTextInput(parts.config, parts.folder);
    await expectComplete(parts.folders, retrievalTensors(parts.config, content));
    return await assemble(parts);
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}
