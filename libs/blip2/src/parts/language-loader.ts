/**
 * Loader of the language model, in a module of its own: the language worker imports it, and need not load the other
 * parts.
 */
import { type CheckpointLanguageModel, loadLanguageModel as loadLanguage } from '@blip2/language';

import type { LoadedPartOptions } from './load-options.ts';

export function loadLanguageModel(folder: string, options?: LoadedPartOptions): Promise<CheckpointLanguageModel> {
  return loadLanguage(folder, options);
}
