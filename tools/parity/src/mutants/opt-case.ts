import type { EntryCall } from '../entry-kind.ts';

/** Image tokens in front of a prompt in the case `opt`. */
export const QUERIES = 6;
/** The end token of its configuration. */
export const END_TOKEN = 202;
export const END_TOKENS: readonly number[] = [END_TOKEN];
/** The prompt that a model makes of its own: image tokens and a start token. */
const OWN_PROMPT: number = QUERIES + 1;

/** Ids of the prompt of a call, image tokens included. */
export function promptLength({ inputs }: EntryCall): number {
  return inputs.has('input_ids') ? (inputs.rows('input_ids')[0]?.length ?? 0) : OWN_PROMPT;
}
