import type { KeptImage } from '../images/encoded-image.ts';
import type { TaskProcessor } from '../images/task-images.ts';
import type { TaskPrompts } from '../tasks/image-tasks.ts';
import type { Turn } from '../tasks/prompt-templates.ts';

/** A prompt about an image. */
export interface ImagePrompt {
  /** Absent: the image is described. */
  readonly question?: string | undefined;
  /** Earlier questions and answers. A caption is a turn without a question, and comes first. */
  readonly history: readonly Turn[];
}

/** The text that the model continues or answers, in the words of its family; `undefined`: the image alone. */
export function promptText(prompts: TaskPrompts, { history, question }: ImagePrompt): string | undefined {
  if (question === undefined) return prompts.caption;
  if (history.length === 0) return prompts.question(question);
  const first = history.findIndex((turn) => turn.question !== '');
  const captions = first < 0 ? history : history.slice(0, first);
  const turns = first < 0 ? [] : history.slice(first);
  return [...captions.map(({ answer }) => `${answer}.`), prompts.chat(turns, question)].join(' ');
}

/** Positions of a prompt: those of the image, and the tokens of the text with its special tokens. */
export function promptLength(
  { tokenizer, numQueryTokens }: Pick<TaskProcessor, 'tokenizer' | 'numQueryTokens'>,
  { batch }: KeptImage,
  text: string | undefined,
): number {
  const queries = 'prefix' in batch ? (batch as { prefix: { dims: readonly number[] } }).prefix.dims[1] : undefined;
  const tokens = text === undefined ? 0 : tokenizer.encode(text, { escapeSpecialTokens: true }).length;
  return (queries ?? numQueryTokens ?? 0) + tokens;
}

/**
 * A number of new tokens that fits after a prompt of `length` positions, at least 1; `undefined` stays so. Clients name
 * limits for models with more positions.
 */
export function fittingTokens(
  { batch: { language } }: KeptImage,
  length: number,
  maxNewTokens: number | undefined,
): number | undefined {
  if (maxNewTokens === undefined) return undefined;
  const room = language.architecture === 'causal' ? language.maxPositions - length : language.maxPositions;
  return Math.max(1, Math.min(maxNewTokens, room));
}
