export {
  computeFeatures,
  type ComputeFeaturesOptions,
  type EncodeImages,
  type FeatureImage,
  type FeatureOutcome,
} from './compute-features.ts';
export { type FeatureStore, type FeatureStoreOptions, type ImageFeatures, openFeatureStore } from './feature-store.ts';
export { imageKey } from './image-key.ts';
