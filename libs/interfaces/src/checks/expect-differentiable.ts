import { Blip2Error } from '../errors.ts';
import type { LanguageModel } from '../parts.ts';

/** A language model that offers `lossAndGradient`. */
export type DifferentiableLanguageModel = LanguageModel & Required<Pick<LanguageModel, 'lossAndGradient'>>;

/**
 * Checks that parts in front of a language model can be trained against it, and returns it. `name` is that of the model
 * in messages.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` if it does not offer `lossAndGradient`.
 */
export function expectDifferentiable(model: LanguageModel, name = 'language model'): DifferentiableLanguageModel {
  if (typeof model.lossAndGradient === 'function') return model as DifferentiableLanguageModel;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', `The ${name} does not offer lossAndGradient`, {
    subject: name,
    fix: 'Train against a language model of @blip2/language, or implement lossAndGradient',
  });
}
