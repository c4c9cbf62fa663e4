import { expectKnownOptions, mustBe } from '@blip2/interfaces';

/**
 * The sources of the parts of one model: folders or Hugging Face Hub ids. LAVIS checkpoints, for example, contain
 * neither the frozen encoder nor the language model. Each source needs a `config.json` in the Hugging Face layout, of
 * the part or of a whole model.
 */
export interface ModelSources {
  /** Q-Former, query tokens, projection, and the configuration of the whole model. */
  readonly qformer: string;
  /**
   * Vision encoder of any family, and the settings of its image processor. Default: the source of the Q-Former, as for
   * those below.
   */
  readonly vision?: string;
  /** Language model of any family. */
  readonly language?: string;
  /**
   * Tokenizer, and the image processor unless the source of the vision encoder has one. Default: the source of the
   * language model if it has a tokenizer.
   */
  readonly processor?: string;
}

const SOURCES: Readonly<Record<keyof ModelSources, true>> = {
  qformer: true,
  vision: true,
  language: true,
  processor: true,
};

/** @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`. */
export function expectSources(source: string | ModelSources): void {
  if (typeof source === 'string') return;
  if (typeof source !== 'object' || source === null)
    throw mustBe('source', 'a folder, a Hub id, or an object with one of them per part', source);
  expectKnownOptions('source', source, Object.keys(SOURCES));
  for (const [name, value] of Object.entries(source))
    if (value !== undefined && typeof value !== 'string') throw mustBe(`source.${name}`, 'a folder or a Hub id', value);
  if (source.qformer === undefined) throw mustBe('source.qformer', 'a folder or a Hub id', source.qformer);
}
