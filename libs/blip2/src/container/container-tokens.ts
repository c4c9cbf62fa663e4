import { type Token, token } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { Blip2 } from '../tasks/blip2.ts';

/** Token of the parts of a checkpoint. */
export const CheckpointPartsToken: Token<CheckpointParts> = token('CheckpointParts');
/** Token of its processor. */
export const ProcessorToken: Token<Blip2Processor> = token('Processor');
/** Token of the tasks built from both. */
export const Blip2Token: Token<Blip2> = token('Blip2');
