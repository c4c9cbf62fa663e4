import { licenceNote as languageModelLicence } from '@blip2/config';

/** The checkpoint that the documentation recommends, because all its components may be used commercially. */
export const RECOMMENDED_MODEL = 'Salesforce/blip2-flan-t5-xl';

/** A note on the licence of the language model in a repository; `undefined` for unknown repositories. */
export function licenceNote(id: string): string | undefined {
  return languageModelLicence(id);
}
