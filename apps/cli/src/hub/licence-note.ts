/** The checkpoint that documents recommend: its parts may be used commercially. */
export const RECOMMENDED_MODEL = 'Salesforce/blip2-flan-t5-xl';

/** Licences of language models, which the cards of the repositories that hold them do not speak of. */
const LANGUAGE_MODEL_LICENCES: readonly (readonly [name: RegExp, note: string])[] = [
  // MODEL_LICENSE.md of metaseq, sections 1a and 2a.
  [
    /\bopt-?\d/i,
    `The OPT language model inside is for non-commercial research only (Meta's OPT licence); ${RECOMMENDED_MODEL} has no such limit`,
  ],
  // Card of Salesforce/instructblip-vicuna-7b; lm-sys/FastChat.
  [
    /vicuna/i,
    'The Vicuna language model inside comes under the terms of LLaMA, and the model is intended for research only',
  ],
  [/flan-?t5/i, 'The Flan-T5 language model inside is Apache-2.0'],
];

/** What is known of the licence of the language model in a repository, by its name; nothing for other repositories. */
export function licenceNote(id: string): string | undefined {
  return LANGUAGE_MODEL_LICENCES.find(([name]) => name.test(id))?.[1];
}
