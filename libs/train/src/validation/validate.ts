import { generate } from '@blip2/generate';
import {
  concatPositions,
  type DifferentiableLanguageModel,
  onesMask,
  type PatchFeatures,
  type TokenIds,
} from '@blip2/interfaces';
import { ciderD } from '@blip2/metrics';
import type { NamedTensors, TrainableBridge } from '@blip2/qformer';

import type { ExampleIds } from '../examples/token-rows.ts';
import type { TrainingExample } from '../examples/training-example.ts';

/** Examples that are not trained on. */
export interface ValidationSet {
  readonly examples: readonly TrainingExample[];
  readonly ids: readonly ExampleIds[];
  /** The features of examples by their index. */
  read(indices: readonly number[]): Promise<PatchFeatures>;
}

/** What a model generates for the examples of a validation. */
export interface ValidationResult {
  /** Mean loss over all targets. */
  readonly loss: number;
  /** Share of the texts that are generated exactly, 0 to 1. */
  readonly exactMatch: number;
  /** CIDEr-D of the captions against all captions of their images, 0 to 10; undefined if there are none. */
  readonly cider: number | undefined;
  /** The generated texts, in the order of the examples. */
  readonly texts: readonly string[];
}

const BATCH = 16;

/** Generates the texts of a validation greedily, and compares them. */
export async function validate(
  bridge: TrainableBridge,
  language: DifferentiableLanguageModel,
  weights: NamedTensors,
  { examples, ids, read }: ValidationSet,
  decode: (ids: TokenIds) => string,
): Promise<ValidationResult> {
  const texts: string[] = [];
  let [loss, targetCount] = [0, 0];
  for (const group of groups(ids)) {
    const rows = group.map((index) => ids[index] ?? { prompt: [], targets: [] });
    const prefix = await bridge.forward({ features: await read(group) }, weights);
    const result = await language.lossAndGradient(
      prefix,
      rows.map(({ targets }) => targets),
      { promptIds: rows.map(({ prompt }) => prompt) },
    );
    loss += result.loss * result.targetCount;
    targetCount += result.targetCount;
    const prompts = rows.map(({ prompt }) => prompt);
    const inputsEmbeds =
      (prompts[0]?.length ?? 0) > 0 ? concatPositions(prefix, await language.embed(prompts)) : prefix;
    const [batch, sequence] = inputsEmbeds.dims;
    const longest = Math.max(...rows.map(({ targets }) => targets.length));
    // Some more than expected: a model that does not end is wrong either way.
    const output = await generate(
      language,
      {
        inputsEmbeds,
        attentionMask: onesMask(batch, sequence),
        ...(language.architecture === 'causal' && { promptIds: prompts }),
      },
      { maxNewTokens: longest + 4 },
    );
    group.forEach((index, row) => (texts[index] = decode(output.sequences[row] ?? []).trim()));
  }
  const right = texts.filter((text, index) => text === examples[index]?.text).length;
  return { loss: loss / targetCount, exactMatch: right / examples.length, cider: captionCider(examples, texts), texts };
}

function captionCider(examples: readonly TrainingExample[], texts: readonly string[]): number | undefined {
  const references = new Map<string, string[]>();
  for (const { image, question, text } of examples)
    if (question === undefined) references.set(image.name, [...(references.get(image.name) ?? []), text]);
  const captions = examples.flatMap(({ image, question }, index) =>
    question === undefined ? [[texts[index] ?? '', references.get(image.name) ?? []] as const] : [],
  );
  if (captions.length === 0) return undefined;
  return ciderD(
    captions.map(([text]) => text),
    captions.map(([, each]) => each),
  ).score;
}

/** Indices of rows whose prompts are equally long, at most `BATCH` each. */
function groups(ids: readonly ExampleIds[]): number[][] {
  const byLength = new Map<number, number[]>();
  for (const [index, { prompt }] of ids.entries()) {
    const rows = byLength.get(prompt.length) ?? [];
    byLength.set(prompt.length, [...rows, index]);
  }
  return [...byLength.values()].flatMap((rows) =>
    Array.from({ length: Math.ceil(rows.length / BATCH) }, (_, piece) =>
      rows.slice(piece * BATCH, (piece + 1) * BATCH),
    ),
  );
}
