import { Blip2QFormerConfig } from './qformer-config.ts';
import type { ToJsonOptions } from './schema/field-table.ts';
import { type JsonObject, ownValue } from './schema/json-values.ts';
import type { TextConfig } from './text/text-config.ts';
import type { Blip2VisionConfig } from './vision/blip2-vision-config.ts';

/** What the file says of the Q-Former, not the width that was taken from the vision encoder. */
export function writeQFormer(
  config: Blip2QFormerConfig,
  vision: Blip2VisionConfig | undefined,
  options: ToJsonOptions,
): Record<string, unknown> {
  if (options.full || config.encoderHiddenSize !== vision?.hiddenSize)
    return Blip2QFormerConfig.toJson(config, options);
  const { encoderHiddenSize } = Blip2QFormerConfig.fromJson(config.json);
  return Blip2QFormerConfig.toJson({ ...config, encoderHiddenSize }, options);
}

/** A part that the file leaves out, and that says nothing but the type it has by default, stays out. */
export function writePart(
  key: string,
  part: Record<string, unknown>,
  defaultType: string,
  json: JsonObject,
): [string, unknown][] {
  const silent =
    (ownValue(json, key) ?? null) === null &&
    Object.entries(part).every(([name, value]) => name === 'model_type' && value === defaultType);
  return silent ? [] : [[key, part]];
}

/** Fields that derive from the language model, for files that have them. */
export function derivedFlags(
  { textConfig: { isEncoderDecoder }, json }: { readonly textConfig: TextConfig; readonly json: JsonObject },
  options: ToJsonOptions,
): Record<string, boolean> {
  const derived = [
    ['use_decoder_only_language_model', !isEncoderDecoder],
    ['is_encoder_decoder', isEncoderDecoder],
  ] as const;
  return Object.fromEntries(derived.filter(([key]) => options.full || Object.hasOwn(json, key)));
}
