import { readConfig, TextConfig, textModelTypes, VisionConfig } from '@blip2/config';
import type { PrecisionChoice } from '@blip2/interfaces';
import { languageFamily, languageTensors, loadLanguageModel, planLanguage } from '@blip2/language';
import type { RecordedWeight } from '@blip2/onnx';
import { type LoadPartOptions, partWeights } from '@blip2/part';
import { loadVisionEncoder, planVision, visionFamily, visionTensors } from '@blip2/vision';

import type { PlannedFile } from './planned-weights.ts';
import { LANGUAGE, openPartOfWhole, VISION, type WholeWeights } from './whole-weights.ts';

/** A vision encoder or a language model that is a checkpoint of its own. Its weights are open. */
export type SinglePart = AsyncDisposable & {
  /** The path of its tensors in its own checkpoint; `''` if they are at the root. */
  readonly path: string;
  /** Its tensors, under the names that they have in a whole model. */
  readonly weights: WholeWeights;
  /** Names of the other tensors of the checkpoint. */
  readonly others: readonly string[];
  /** The tensors that it should have, under the same names. */
  readonly expected: readonly RecordedWeight[];
  /** The files of converted weights that loading it at a precision creates. */
  plannedFiles(dtype: PrecisionChoice): readonly PlannedFile[];
  /** Loads the part and disposes of it: what is wrong with it is an error. */
  tryLoad(options: LoadPartOptions): Promise<void>;
} & (
    | { readonly part: 'vision'; readonly config: VisionConfig }
    | { readonly part: 'language'; readonly config: TextConfig }
  );

/**
 * The part that a configuration belongs to; undefined if it is that of a whole model.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, `INVALID_CONFIG` for a configuration of neither.
 */
export function singlePartOf(json: Readonly<Record<string, unknown>>, where: string): SinglePart['part'] | undefined {
  const modelType = json['model_type'];
  if (typeof modelType === 'string' && textModelTypes().includes(modelType)) return 'language';
  if (modelType === 'blip-2' || modelType === 'instructblip' || json['qformer_config'] !== undefined) return undefined;
  VisionConfig.fromJson(json, where);
  return 'vision';
}

/**
 * Opens the weights of a part in a folder of its own, without reading them.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_CONFIG`, `UNSUPPORTED_ARCHITECTURE`, `INVALID_CHECKPOINT`.
 */
export async function openSinglePart(folder: string, part: SinglePart['part']): Promise<SinglePart> {
  const json = await readConfig(folder);
  if (part === 'vision') {
    const config = VisionConfig.fromJson(json, folder);
    const opened = await openPartOfWhole(folder, VISION, visionFamily(config.modelType).part.paths);
    return {
      ...opened,
      part,
      config,
      expected: visionTensors(config, VISION),
      plannedFiles: (dtype) => filesOf(part, [planVision(config, partWeights(opened.weights, VISION), dtype) ?? []]),
      tryLoad: async (options) => (await loadVisionEncoder(folder, options)).dispose(),
    };
  }
  const config = TextConfig.fromJson(json, folder);
  const opened = await openPartOfWhole(folder, LANGUAGE, languageFamily(config.modelType).part.paths);
  return {
    ...opened,
    part,
    config,
    expected: languageTensors(config, LANGUAGE),
    plannedFiles: (dtype) => filesOf(part, planLanguage(config, partWeights(opened.weights, LANGUAGE), dtype)),
    tryLoad: async (options) => (await loadLanguageModel(folder, options)).dispose(),
  };
}

function filesOf(part: SinglePart['part'], files: readonly PlannedFile['weights'][]): readonly PlannedFile[] {
  return files.flatMap((weights) => (weights.length > 0 ? [{ part, weights }] : []));
}
