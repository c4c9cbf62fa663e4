import { type Token, token } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

import type { Blip2 } from './blip2.ts';
import type { CheckpointParts } from './checkpoint-parts.ts';

/** Run-time name of the parts of a checkpoint. */
export const CheckpointPartsToken: Token<CheckpointParts> = token('CheckpointParts');
/** Of its processor. */
export const ProcessorToken: Token<Blip2Processor> = token('Processor');
/** Of the tasks that are made of both. */
export const Blip2Token: Token<Blip2> = token('Blip2');
