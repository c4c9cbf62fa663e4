export { createEmbeddingModel, type EmbeddingModelOptions } from './embedding-model.ts';
export { createLanguageModel, type LanguageModelOptions } from './language-model.ts';
export { type Blip2Provider, type Blip2ProviderOptions, createBlip2 } from './provider.ts';
