import { shortAnswerPrompt } from './prompt-templates.ts';
import type { AnswerOptions, CaptionOptions } from './task-options.ts';

/**
 * Settings that LAVIS captions COCO with (`*-coco` checkpoints): 5 beams, 8 to 30 tokens after "a photo of", which the
 * result does not repeat. Usage: `blip2.caption(image, captionPreset)`. Source: LAVIS, `caption_coco_eval`
 * configurations.
 */
export const captionPreset: Pick<CaptionOptions, 'prompt' | 'numBeams' | 'minNewTokens' | 'maxNewTokens'> = {
  prompt: 'a photo of',
  numBeams: 5,
  minNewTokens: 8,
  maxNewTokens: 30,
};

/**
 * Settings that LAVIS answers VQAv2, OK-VQA and GQA with: 5 beams, 1 to 10 tokens, and a length penalty of −1, which
 * favours short answers. Usage: `blip2.answer(image, question, shortAnswerPreset)`. For OPT the paper uses the words of
 * `questionPrompt`: `{ ...shortAnswerPreset, template: questionPrompt }`. Source: arXiv 2301.12597, section 4.2, and
 * LAVIS, `vqav2_zeroshot_*_eval` configurations.
 */
export const shortAnswerPreset: Pick<
  AnswerOptions,
  'template' | 'numBeams' | 'minNewTokens' | 'maxNewTokens' | 'lengthPenalty'
> = {
  template: shortAnswerPrompt,
  numBeams: 5,
  minNewTokens: 1,
  maxNewTokens: 10,
  lengthPenalty: -1,
};
