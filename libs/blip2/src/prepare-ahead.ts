import type { LanguageModel } from '@blip2/interfaces';

/** Lets a language model in a thread of its own get ready before it is needed. What goes wrong is left to the first use, which meets it again and can say so. */
export function prepareAhead(language: LanguageModel): void {
  language.prepare?.().catch(() => undefined);
}
