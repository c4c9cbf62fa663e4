import { Blip2Error, LanguageModel, LanguageProjection, QFormer, type Token, VisionEncoder } from '@blip2/interfaces';

import type { ModelConfig } from '../checkpoint/model-config.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { loadInstructProcessor, loadProcessor } from '../parts/load-processor.ts';
import { type Blip2Retrieval, createBlip2Retrieval, retrievalProcessor } from '../retrieval/blip2-retrieval.ts';
import type { RetrievalTaskParts } from '../retrieval/encode-retrieval-inputs.ts';
import { expectTextInput } from '../retrieval/retrieval-content.ts';
import { createBlip2 } from '../tasks/blip2.ts';
import { createInstructBlip } from '../tasks/instructblip.ts';
import {
  Blip2Token,
  CheckpointPartsToken,
  InstructBlipToken,
  InstructProcessorToken,
  ProcessorToken,
  RetrievalToken,
  TextQFormerToken,
} from './container-tokens.ts';
import type { Binding } from './provide.ts';

/** Binds a token. */
export type Provide = <T, const Deps extends readonly Token<unknown>[]>(binding: Binding<T, Deps>) => void;

/** Binds the parts of a checkpoint that `open` opens, and the tasks of every kind of model. */
export function bindParts(
  provide: Provide,
  open: () => Promise<CheckpointParts<ModelConfig>>,
  options: LoadOptions,
): void {
  const deps = [CheckpointPartsToken] as const;
  provide({ id: CheckpointPartsToken, deps: [], create: open });
  provide({ id: VisionEncoder, deps, create: (parts) => parts.vision() });
  provide({ id: QFormer, deps, create: (parts) => ofBlip2(parts).qformer() });
  provide({ id: TextQFormerToken, deps, create: (parts) => withText(parts).textQFormer() });
  provide({ id: LanguageProjection, deps, create: (parts) => parts.projection() });
  provide({ id: LanguageModel, deps, create: (parts) => parts.language() });
  provide({ id: ProcessorToken, deps, create: (parts) => loadProcessor(parts) });
  provide({ id: InstructProcessorToken, deps, create: (parts) => loadInstructProcessor(parts) });
  provide({
    id: Blip2Token,
    deps: [VisionEncoder, QFormer, LanguageProjection, LanguageModel, ProcessorToken],
    create: (vision, qformer, projection, language, processor) =>
      createBlip2({ vision, qformer, projection, language, processor }, options),
  });
  provide({
    id: InstructBlipToken,
    deps: [VisionEncoder, TextQFormerToken, LanguageProjection, LanguageModel, InstructProcessorToken],
    create: (vision, qformer, projection, language, processor) =>
      createInstructBlip({ vision, qformer, projection, language, processor }, options),
  });
  provide({
    id: RetrievalToken,
    deps: [CheckpointPartsToken, VisionEncoder, TextQFormerToken],
    create: (parts, visionModel, qformer) => createRetrieval(parts, { visionModel, qformer }, options),
  });
}

async function createRetrieval(
  parts: CheckpointParts<ModelConfig>,
  { visionModel, qformer }: Pick<RetrievalTaskParts, 'visionModel' | 'qformer'>,
  options: LoadOptions,
): Promise<Blip2Retrieval> {
  const heads = {
    visionProjection: await parts.visionProjection(),
    textProjection: await parts.textProjection(),
    itmHead: await parts.matchingHead(),
  };
  const all = { visionModel, qformer, ...heads, processor: await retrievalProcessor(parts.folders) };
  const dispose = async (): Promise<void> => {
    for (const part of [...Object.values(heads), qformer, visionModel]) await part[Symbol.asyncDispose]();
  };
  return createBlip2Retrieval(all, dispose, options);
}

/** @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for InstructBLIP, whose Q-Former needs the instruction. */
function ofBlip2<P extends CheckpointParts<ModelConfig>>(parts: P): P {
  if (parts.config.modelType === 'blip-2') return parts;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The Q-Former of this checkpoint also takes the instruction', {
    where: parts.folder,
    expected: 'blip-2',
    got: parts.config.modelType,
    fix: 'Request InstructBlipToken, or TextQFormerToken',
  });
}

/** @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for a BLIP-2 model whose Q-Former takes no text. */
function withText<P extends CheckpointParts<ModelConfig>>(parts: P): P {
  if (parts.config.modelType === 'blip-2') expectTextInput(parts.config, parts.folder);
  return parts;
}
