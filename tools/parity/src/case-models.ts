import type { GoldenCase } from './golden-case.ts';

/** The models of one case: each is loaded at its first use, once, in float32. */
export interface CaseModels extends AsyncDisposable {
  readonly checkpoint: string | undefined;
}

export function createCaseModels(golden: GoldenCase): CaseModels {
  return { checkpoint: golden.checkpoint, [Symbol.asyncDispose]: () => Promise.resolve() };
}
