export type { NamedSource } from './models/model-entry.ts';
export {
  DEFAULT_LIMITS,
  type RequestEntry,
  type ServedLoadOptions,
  type ServerLimits,
  type ServerOptions,
} from './options.ts';
export type { ImageLimits } from './requests/image-reader.ts';
export { type ListenOptions, type RunningServer, serve } from './serve.ts';
