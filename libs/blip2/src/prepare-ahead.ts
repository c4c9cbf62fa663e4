import type { LanguageModel, VisionEncoder } from '@blip2/interfaces';

/** Lets parts in threads of their own get ready before they are needed. What goes wrong is left to the first use, which meets it again and can say so. */
export function prepareAhead({ vision, language }: { readonly vision: VisionEncoder; readonly language: LanguageModel }): void {
  for (const part of [vision, language]) part.prepare?.().catch(() => undefined);
}
