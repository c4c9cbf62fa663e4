import type { Environment } from './environment.ts';
import { temporaryFiles } from './output/temporary-files.ts';

/** The real process and library. Every module of the library is imported on first use. */
export const processEnvironment: Environment = {
  // Getters, because reading `process.stdin` opens it.
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
  variables: process.env,
  signals: process,
  exitNow: (signal) => {
    temporaryFiles.removeAll();
    // Not `process.exit`: while a worker thread runs native code, that blocks or aborts the process.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  },
  startHosts: async (options) => (await import('@blip2/blip2/hosts')).startModelHosts(options),
  loadModel: async (source, options) => (await import('./model/load-model.ts')).loadModel(source, options),
  loadRetrievalModel: async (source, options) =>
    (await import('./model/load-retrieval-model.ts')).loadRetrievalModel(source, options),
  loadEmbeddingModel: async (source, part, options) =>
    (await import('./model/load-embedding-model.ts')).loadEmbeddingModel(source, part, options),
  featurePartsOf: async (source, settings) =>
    (await import('./model/feature-parts-of.ts')).featurePartsOf(source, settings),
  loadHeatmapModel: async (source, subject, options) =>
    (await import('./model/load-heatmap-model.ts')).loadHeatmapModel(source, subject, options),
  openImageEncoder: async (source, settings) =>
    (await import('./model/open-image-encoder.ts')).openImageEncoder(source, settings),
  serve: async (options, signal) => (await import('@blip2/server')).serve(options, signal),
  train: async (options) => (await import('@blip2/train')).train(options),
  serveMcp: async (options) => (await import('./commands/mcp/load-mcp.ts')).serveMcp(options),
  openImage: async (source, options) => (await import('./images/open-image.ts')).openImage(source, options),
  openReader: async (threads) => (await import('./images/image-reader.ts')).imageReader(threads),
};
