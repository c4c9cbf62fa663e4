import type { NewToken } from '@blip2/generate';
import type { LogitsProcessor } from '@blip2/interfaces';

/** A token and the natural logarithm of its probability, as OpenAI writes it. */
interface TokenLogProb {
  readonly token: string;
  readonly logprob: number;
  /** UTF-8. */
  readonly bytes: readonly number[];
}

/** `logprobs.content` of a choice. */
export type LogProbEntry = TokenLogProb & { readonly top_logprobs: readonly TokenLogProb[] };

/** Observes the most likely tokens of each step. */
export interface TopTokens {
  /** Changes nothing; sees the logits of each step before a token is chosen. */
  readonly observe: LogitsProcessor;
  /** Removes the alternatives of the oldest steps. */
  take(steps: number): readonly (readonly Alternative[])[];
}

interface Alternative {
  readonly id: number;
  readonly logProb: number;
}

/** Creates an observer of the `count` most likely tokens. */
export function createTopTokens(count: number): TopTokens {
  const steps: (readonly Alternative[])[] = [];
  return {
    observe: (_ids, logits) => void steps.push(count === 0 ? [] : topOf(logits, count)),
    take: (taken) => steps.splice(0, taken),
  };
}

function topOf(logits: Float32Array, count: number): Alternative[] {
  const top: { id: number; logit: number }[] = [];
  logits.forEach((logit, id) => {
    if (top.length === count && logit <= (top.at(-1)?.logit ?? -Infinity)) return;
    const at = top.findIndex((other) => other.logit < logit);
    top.splice(at < 0 ? top.length : at, 0, { id, logit });
    if (top.length > count) top.pop();
  });
  const largest = top[0]?.logit ?? 0;
  const logSum = largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
  return top.map(({ id, logit }) => ({ id, logProb: logit - logSum }));
}

/** The log-probabilities of tokens, with the alternatives that were observed when they were chosen. */
export function logProbEntries(
  tokens: readonly NewToken[],
  alternatives: readonly (readonly Alternative[])[],
  tokenText: (id: number) => string,
): LogProbEntry[] {
  const entry = (id: number, logProb: number): TokenLogProb => {
    const token = tokenText(id);
    // JSON has no -Infinity; OpenAI writes this for tokens that are very unlikely.
    return { token, logprob: Math.max(logProb, LEAST_LOG_PROB), bytes: [...new TextEncoder().encode(token)] };
  };
  return tokens.map(({ id, logProb }, index) => ({
    ...entry(id, logProb),
    top_logprobs: (alternatives[index] ?? []).map((other) => entry(other.id, other.logProb)),
  }));
}

const LEAST_LOG_PROB = -9999;
