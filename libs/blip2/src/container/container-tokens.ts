import { type Token, token } from '@blip2/interfaces';
import type { Blip2Processor, InstructBlipProcessor } from '@blip2/processor';
import type { TextConditionedQFormer } from '@blip2/qformer';

import type { ModelConfig } from '../checkpoint/model-config.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import type { Blip2 } from '../tasks/blip2.ts';
import type { InstructBlip } from '../tasks/instructblip.ts';

/** Token of the parts of a checkpoint. */
export const CheckpointPartsToken: Token<CheckpointParts<ModelConfig>> = token('CheckpointParts');
/** Token of the Q-Former of InstructBLIP and of retrieval checkpoints. */
export const TextQFormerToken: Token<TextConditionedQFormer> = token('TextQFormer');
/** Token of the processor of a checkpoint of BLIP-2. */
export const ProcessorToken: Token<Blip2Processor> = token('Processor');
/** Token of the processor of a checkpoint of InstructBLIP. */
export const InstructProcessorToken: Token<InstructBlipProcessor> = token('InstructProcessor');
/** Token of the tasks of BLIP-2, built from the parts and the processor. */
export const Blip2Token: Token<Blip2> = token('Blip2');
/** Token of the tasks of InstructBLIP. */
export const InstructBlipToken: Token<InstructBlip> = token('InstructBlip');
/** Token of the tasks of a retrieval checkpoint. */
export const RetrievalToken: Token<Blip2Retrieval> = token('Retrieval');
