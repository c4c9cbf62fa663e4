import type { EntryCall } from '../entry-kind.ts';

/** Number of image tokens before a prompt in the case `opt`. */
export const QUERIES = 6;
/** The end token of its configuration. */
export const END_TOKEN = 202;
export const END_TOKENS: readonly number[] = [END_TOKEN];
/** Length of the default prompt: image tokens and a start token. */
const DEFAULT_PROMPT_LENGTH: number = QUERIES + 1;

/** Length of the prompt of a call, image tokens included. */
export function promptLength({ inputs }: EntryCall): number {
  return inputs.has('input_ids') ? (inputs.rows('input_ids')[0]?.length ?? 0) : DEFAULT_PROMPT_LENGTH;
}
