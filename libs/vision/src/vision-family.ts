import type { VisionConfig } from '@blip2/config';
import type { VisionEncoder } from '@blip2/interfaces';
import type { Part, PartWeights, StandalonePart } from '@blip2/part';

import type { EncoderMembers, OptionallyPooledOutput, VisionOutput } from './create-vision-encoder.ts';
import type { FeatureLayerOptions } from './feature-layer.ts';

/** A vision encoder that was loaded from a checkpoint. */
export interface CheckpointVisionEncoder
  extends VisionEncoder, EncoderMembers<OptionallyPooledOutput>, StandalonePart<VisionConfig> {
  prepare(): Promise<void>;
}

/** A vision encoder with a pooler, as a part. */
export interface PooledVisionEncoder<C> extends VisionEncoder, EncoderMembers<VisionOutput>, StandalonePart<C> {
  prepare(): Promise<void>;
}

/** A vision encoder whose checkpoint may lack the pooler, as a part. */
export interface OptionallyPooledVisionEncoder<C>
  extends VisionEncoder, EncoderMembers<OptionallyPooledOutput>, StandalonePart<C> {
  prepare(): Promise<void>;
}

/** What a family of vision encoders declares. */
export interface VisionFamily<C extends VisionConfig = VisionConfig> {
  /** Loads, plans, initializes and creates encoders of the family. */
  readonly part: Part<C, CheckpointVisionEncoder, PartWeights, FeatureLayerOptions>;
  /** Start of the names, below the root of the encoder, of tensors that checkpoints may lack, such as `pooler.`. */
  readonly optionalTensors?: readonly string[];
  /** Whether encoders accept images of other sizes without `interpolatePosEncoding`. Default false. */
  readonly acceptsAnySize?: boolean | undefined;
}
