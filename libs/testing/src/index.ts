export type { Check, Tolerance } from './conformance/check.ts';
export type { LanguageModelSubject } from './conformance/language-model/check-context.ts';
export { languageModelConformance } from './conformance/language-model-conformance.ts';
export {
  languageProjectionConformance,
  type LanguageProjectionSubject,
} from './conformance/language-projection-conformance.ts';
export { qformerConformance, type QFormerSubject } from './conformance/qformer-conformance.ts';
export {
  textConditionedQFormerConformance,
  type TextConditionedQFormerSubject,
} from './conformance/text-conditioned-qformer-conformance.ts';
export { visionEncoderConformance, type VisionEncoderSubject } from './conformance/vision-encoder-conformance.ts';
export { fakeDecoding, type FakeDecodingOptions, type FakeHistory, type FakeScore } from './fakes/fake-decoding.ts';
export { fakeLanguageModel, type FakeLanguageModelOptions } from './fakes/fake-language-model.ts';
export {
  fakeLanguageProjection,
  type FakeLanguageProjectionOptions,
  fakeQFormer,
  type FakeQFormerOptions,
  fakeTextConditionedQFormer,
  fakeVisionEncoder,
  type FakeVisionEncoderOptions,
} from './fakes/fake-parts.ts';
export { pseudoRandom, pseudoRandomTensor } from './fakes/pseudo-random.ts';
export { recite } from './fakes/recite.ts';
export { type WatchedRead, watchLanguageModel } from './fakes/watch-language-model.ts';
export { startHubServer } from './hub-server/hub-server.ts';
export {
  type Fault,
  FAULTS,
  type HubServer,
  type HubServerOptions,
  type ServedRequest,
} from './hub-server/hub-server-options.ts';
export { DEFAULT_COMMIT, type ServedRepository } from './hub-server/served-repository.ts';
export { readTensorFile, type RecordedTensor } from './read-tensor-file.ts';
