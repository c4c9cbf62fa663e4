import { readFileSync } from 'node:fs';

import type { GenerationOptions, LanguageModel, TokenIds } from '@blip2/interfaces';
import { fakeLanguageModel, pseudoRandom } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { generate } from './generate.ts';
import type { GenerationPrompt } from './generation-prompt.ts';

interface Case {
  readonly architecture: 'causal' | 'seq2seq';
  readonly rows: number[][];
  readonly options: Readonly<Record<string, unknown>>;
  readonly sequences: number[][];
  readonly sequences_scores?: number[];
  readonly beam_indices?: number[][];
  readonly steps: number;
  readonly last_scores?: (number | null)[][];
}
const goldens: {
  vocabulary: number;
  max_positions: number;
  special: { pad: number; bos: number; eos: number };
  cases: Case[];
} = JSON.parse(readFileSync(new URL('../../../tools/parity/cases/values/search.json', import.meta.url), 'utf8'));
const {
  vocabulary,
  max_positions: maxPositions,
  special: { pad, bos, eos },
  cases,
} = goldens;

/** The formula of `tools/reference/make_search_values.py` as a language model. */
function formulaModel(architecture: Case['architecture']): LanguageModel {
  return fakeLanguageModel({
    architecture,
    vocabularySize: vocabulary,
    embeddingSize: 1,
    maxPositions,
    specialTokens: { padTokenId: pad, bosTokenId: bos, eosTokenId: eos, decoderStartTokenId: bos },
    score(history, encoded) {
      const ids = [
        ...encoded.map(([id]) => id!),
        ...(architecture === 'seq2seq' ? [-1] : []),
        ...history.map(([id]) => id!),
      ];
      return Array.from({ length: vocabulary }, (_, id) => 3 * pseudoRandom(...ids, -2, id));
    },
  });
}

async function promptOf(model: LanguageModel, rows: readonly TokenIds[]): Promise<GenerationPrompt> {
  const width = Math.max(...rows.map((row) => row.length));
  const pads = rows.map((row) => new Array<number>(width - row.length).fill(pad));
  const isCausal = model.architecture === 'causal';
  const ids = rows.map((row, index) => (isCausal ? [...pads[index]!, ...row] : [...row, ...pads[index]!]));
  const attentionMask = rows.map((row, index) => {
    const [zeros, ones] = [pads[index]!.map(() => 0), row.map(() => 1)];
    return isCausal ? [...zeros, ...ones] : [...ones, ...zeros];
  });
  return { inputsEmbeds: await model.embed(ids), attentionMask, ...(isCausal && { promptIds: ids }) };
}

const camelCase = (name: string): string => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());

function optionsOf({ options }: Case): GenerationOptions {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [camelCase(name), value]));
}

describe('generate matches Hugging Face Transformers on the same logits', () => {
  test.each(
    cases.map(
      (golden, index) =>
        [`${index} ${golden.architecture} ${golden.rows.length} ${JSON.stringify(golden.options)}`, golden] as const,
    ),
  )('%s', async (_, golden) => {
    const model = formulaModel(golden.architecture);
    const prompt = await promptOf(model, golden.rows);
    const output = await generate(model, prompt, { ...optionsOf(golden), outputScores: true });
    expect(output.sequences).toEqual(golden.sequences);
    expect(output.scores?.length).toBe(golden.steps);
    for (const [row, expected] of (golden.sequences_scores ?? []).entries())
      expect(output.sequencesScores?.[row]).toBeCloseTo(expected, 4);
    expect(output.beamIndices).toEqual(golden.beam_indices?.map((indices) => indices.filter((index) => index >= 0)));
    const lastScores = golden.last_scores?.flat() ?? [];
    for (const [index, expected] of lastScores.entries()) {
      const actual = output.scores!.at(-1)!.data[index]!;
      if (expected === null) expect(actual).toBe(-Infinity);
      else expect(actual).toBeCloseTo(expected, 4);
    }
    // Without outputScores, ended rows are removed from the decoding, which must not change the result.
    const lean = await generate(model, prompt, optionsOf(golden));
    expect(lean.sequences).toEqual(golden.sequences);
    expect(lean.sequencesScores).toEqual(output.sequencesScores);
  });

  test('there are more than 400 goldens', () => {
    expect(cases.length).toBeGreaterThan(400);
  });
});
