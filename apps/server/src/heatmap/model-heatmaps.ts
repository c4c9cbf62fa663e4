import {
  type Blip2,
  type Blip2ForImageTextRetrieval,
  type Blip2Retrieval,
  contrastScore,
  likelihoodScore,
  matchScore,
  questionPrompt,
} from '@blip2/blip2';
import { Blip2Error, defined, type ImageSource } from '@blip2/interfaces';

import { computeHeatmap, type Heatmap, type HeatmapOptions, type HeatmapSubject } from './heatmap.ts';

/** The heat maps of a model. */
export type ModelHeatmap = (image: ImageSource, subject: HeatmapSubject, options: HeatmapOptions) => Promise<Heatmap>;

/** Heat maps of how well a text matches. */
export function matchHeatmap({
  model,
  processor,
}: Blip2Retrieval & { readonly model: Blip2ForImageTextRetrieval }): ModelHeatmap {
  return (image, { text, question, by: kind = 'itm' }, options) => {
    if (question !== undefined) throw refused('question', 'a retrieval checkpoint', 'generation checkpoints');
    const score = (kind === 'itm' ? matchScore : contrastScore)({ ...model, processor }, text);
    return computeHeatmap(image, { processor: processor.imageProcessor, score, kind }, options);
  };
}

/** Heat maps of how likely a text is generated, as a description or as an answer. */
export function textHeatmap(blip2: Blip2): ModelHeatmap {
  return (image, { text, question, by }, options) => {
    if (by !== undefined) throw refused('by', 'a generation checkpoint', 'retrieval checkpoints');
    const prompt = question === undefined ? undefined : questionPrompt(question);
    const score = likelihoodScore(blip2, text, defined({ prompt }));
    return computeHeatmap(image, { processor: blip2.processor.imageProcessor, score, kind: 'writing' }, options);
  };
}

/** For models without a score: the Q-Former of InstructBLIP needs an instruction for each image. */
export const noHeatmap: ModelHeatmap = () => {
  throw refused('model', 'InstructBLIP', 'BLIP-2 and retrieval checkpoints');
};

function refused(argument: string, got: string, supported: string): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', `${argument} is only supported with ${supported} in heat maps`, {
    argument,
    got,
    fix: argument === 'model' ? 'Name another model' : 'Omit it, or name another model',
  });
}
