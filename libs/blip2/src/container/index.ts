export { type Blip2Container, blip2Module, createBlip2Container } from './blip2-container.ts';
export {
  Blip2Token,
  CheckpointPartsToken,
  InstructBlipToken,
  InstructProcessorToken,
  ProcessorToken,
  RetrievalToken,
  TextQFormerToken,
} from './container-tokens.ts';
export { provide } from './provide.ts';
