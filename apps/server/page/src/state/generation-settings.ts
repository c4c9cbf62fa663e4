import type { GenerationFields } from '../api/types.ts';

/** One option of generation as the settings show it. */
export interface GenerationOption {
  readonly field: keyof GenerationFields;
  readonly label: string;
  readonly hint: string;
  readonly min: number;
  readonly max: number;
  readonly step: number | 'any';
}

export const GENERATION_OPTIONS: readonly GenerationOption[] = [
  { field: 'max_tokens', label: 'Most new tokens', hint: 'Length of a text', min: 1, max: 4096, step: 1 },
  {
    field: 'temperature',
    label: 'Temperature',
    hint: '0 or empty: the most likely words; higher: more varied',
    min: 0,
    max: 10,
    step: 'any',
  },
  { field: 'top_p', label: 'Top p', hint: 'Share of the likely words to sample from', min: 0.01, max: 1, step: 'any' },
  { field: 'top_k', label: 'Top k', hint: 'Number of words to sample from', min: 1, max: 100_000, step: 1 },
  {
    field: 'repetition_penalty',
    label: 'Repetition penalty',
    hint: '1: none; higher: fewer repetitions',
    min: 0.1,
    max: 10,
    step: 'any',
  },
  { field: 'seed', label: 'Seed', hint: 'The same seed samples the same text', min: 0, max: 4_294_967_295, step: 1 },
];

/** What is wrong with the text of an option; undefined if nothing is. Empty is the default of the server. */
export function optionProblem({ label, min, max, step }: GenerationOption, text: string): string | undefined {
  if (text.trim() === '') return undefined;
  const value = Number(text);
  const isWhole = step === 'any' || Number.isInteger(value);
  if (Number.isFinite(value) && isWhole && value >= min && value <= max) return undefined;
  return `${label} must be ${step === 'any' ? 'a number' : 'a whole number'} from ${min} to ${max}`;
}

/** The options of a request: those with a valid value. */
export function generationFields(texts: Readonly<Record<string, string>>): GenerationFields {
  return Object.fromEntries(
    GENERATION_OPTIONS.filter((option) => (texts[option.field] ?? '').trim() !== '')
      .filter((option) => optionProblem(option, texts[option.field] ?? '') === undefined)
      .map(({ field }) => [field, Number(texts[field])]),
  );
}
