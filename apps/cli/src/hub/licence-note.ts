import { licenceNote as languageModelLicence } from '@blip2/config';

/** The checkpoint that documents recommend: its parts may be used commercially. */
export const RECOMMENDED_MODEL = 'Salesforce/blip2-flan-t5-xl';

/** What is known about the licence of the language model in a repository, by its id; undefined if nothing is. */
export function licenceNote(id: string): string | undefined {
  return languageModelLicence(id);
}
