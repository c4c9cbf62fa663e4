import { token, type Token } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';
import type { Blip2 } from './blip2.ts';
import type { CheckpointParts } from './checkpoint-parts.ts';

/** Run-time names of what this package adds to the seams. */
export const CheckpointPartsToken: Token<CheckpointParts> = token('CheckpointParts');
export const ProcessorToken: Token<Blip2Processor> = token('Processor');
export const Blip2Token: Token<Blip2> = token('Blip2');
