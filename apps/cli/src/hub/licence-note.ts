/** The checkpoint that the documentation recommends, because all its components may be used commercially. */
export const RECOMMENDED_MODEL = 'Salesforce/blip2-flan-t5-xl';

/** Licences of language models, by repository name. Model cards do not mention them. */
const LANGUAGE_MODEL_LICENCES: readonly (readonly [name: RegExp, note: string])[] = [
  // MODEL_LICENSE.md of metaseq, sections 1a and 2a.
  [
    /\bopt-?\d/i,
    "The OPT language model in it is for non-commercial research only (Meta's OPT licence); " +
      `${RECOMMENDED_MODEL} has no such restriction`,
  ],
  // Card of Salesforce/instructblip-vicuna-7b; lm-sys/FastChat.
  [
    /vicuna/i,
    'The Vicuna language model in it is subject to the LLaMA licence, and the model is intended for research only',
  ],
  [/flan-?t5/i, 'The Flan-T5 language model in it is licensed under Apache-2.0'],
];

/** A note on the licence of the language model in a repository; `undefined` for unknown repositories. */
export function licenceNote(id: string): string | undefined {
  return LANGUAGE_MODEL_LICENCES.find(([name]) => name.test(id))?.[1];
}
