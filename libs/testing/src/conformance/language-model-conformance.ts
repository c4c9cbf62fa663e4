import type { Check } from './check.ts';
import { appendChecks } from './language-model/append-checks.ts';
import { branchChecks } from './language-model/branch-checks.ts';
import type { LanguageModelSubject } from './language-model/check-context.ts';
import { disposeChecks } from './language-model/dispose-checks.ts';
import { extendChecks } from './language-model/extend-checks.ts';
import { lossChecks } from './language-model/loss-checks.ts';
import { prefillChecks } from './language-model/prefill-checks.ts';

/**
 * Conformance suite of the `LanguageModel` and `Decoding` interfaces. Uses the token ids 5 to 9. To run it: `for (const
 * check of languageModelConformance({ create })) test(check.name, check.run)`.
 */
export function languageModelConformance(subject: LanguageModelSubject): Check[] {
  return [
    ...prefillChecks(subject),
    ...extendChecks(subject),
    ...branchChecks(subject),
    ...appendChecks(subject),
    ...lossChecks(subject),
    ...disposeChecks(subject),
  ];
}
