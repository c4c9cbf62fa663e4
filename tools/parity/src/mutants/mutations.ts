import { beamMutations } from './beam-mutations.ts';
import { decoderMutations } from './decoder-mutations.ts';
import { encoderMutations } from './encoder-mutations.ts';
import { gradientMutations } from './gradient-mutations.ts';
import { imageMutations } from './image-mutations.ts';
import { instructBlipMutations } from './instructblip-mutations.ts';
import { languageMutations } from './language-mutations.ts';
import { logitsMutations } from './logits-mutations.ts';
import type { Mutation } from './mutation.ts';
import { qformerMutations } from './qformer-mutations.ts';
import { relativeMutations, retrievalMutations } from './retrieval-mutations.ts';
import { t5Mutations, t5VariantMutations } from './t5-mutations.ts';
import { textMutations } from './text-mutations.ts';
import { visionMutations } from './vision-mutations.ts';

/** All mutations. */
export const mutations: readonly Mutation[] = [
  ...visionMutations,
  ...encoderMutations,
  ...qformerMutations,
  ...relativeMutations,
  ...retrievalMutations,
  ...languageMutations,
  ...decoderMutations,
  ...t5Mutations,
  ...t5VariantMutations,
  ...gradientMutations,
  ...instructBlipMutations,
  ...textMutations,
  ...beamMutations,
  ...logitsMutations,
  ...imageMutations,
];
