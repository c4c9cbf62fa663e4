/** What the configuration of a model family is defined with, for families of other packages. */
export { requirePatches, requireWholeHeads } from './schema/config-rules.ts';
export { type ConfigDefinition, type ConfigFormat, type ConfigSource, defineConfig } from './schema/define-config.ts';
export type { FieldTable } from './schema/field-table.ts';
export {
  activation,
  count,
  deviation,
  epsilon,
  type Field,
  finite,
  flag,
  oneOf,
  optional,
  positive,
  probability,
  text,
  tokenId,
  tokenIds,
  withDefault,
} from './schema/field-types.ts';
export { ownValue } from './schema/json-values.ts';
export {
  MAX_CHANNELS,
  MAX_HEADS,
  MAX_IMAGE_SIZE,
  MAX_LAYERS,
  MAX_POSITIONS,
  MAX_VOCABULARY,
  MAX_WIDTH,
} from './schema/limits.ts';
export {
  defineRotaryDecoderConfig,
  ROTARY_DEFAULTS,
  type RotaryDecoderDefaults,
  type RotaryDecoderDefinition,
  rotaryDecoderSizes,
} from './text/rotary-decoder-config.ts';
export { rotaryParameters, withRotaryBase } from './text/rotary-parameters.ts';
export { layerTypes, slidingWindow, type WindowedLayers } from './text/sliding-window.ts';
export type { CommonTextFields } from './text/text-config-members.ts';
export type { VisionTransformerFields } from './vision/vision-family.ts';
export { type SharedVisionFields, sharedVisionFields } from './vision/vision-transformer-fields.ts';
