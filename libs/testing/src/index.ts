export { pseudoRandom } from './fakes/pseudo-random.ts';
export { recite } from './fakes/recite.ts';
export { fakeDecoding, type FakeDecodingOptions, type FakeHistory, type FakeScore } from './fakes/fake-decoding.ts';
export { fakeLanguageModel, type FakeLanguageModelOptions } from './fakes/fake-language-model.ts';
