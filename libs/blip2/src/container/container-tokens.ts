import { type Token, token } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { Blip2 } from '../tasks/blip2.ts';

/** Run-time name of the parts of a checkpoint. */
export const CheckpointPartsToken: Token<CheckpointParts> = token('CheckpointParts');
/** Of its processor. */
export const ProcessorToken: Token<Blip2Processor> = token('Processor');
/** Of the tasks that are made of both. */
export const Blip2Token: Token<Blip2> = token('Blip2');
