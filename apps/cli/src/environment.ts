import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

import type { LoadHeatmapModel } from './model/heatmap-port.ts';
import type {
  ImageReader,
  Load,
  LoadEmbeddingModel,
  LoadModel,
  OpenImage,
  RetrievalModel,
} from './model/model-port.ts';
import { temporaryFiles } from './output/temporary-files.ts';

/** What a command may touch of the process and of the library. Tests hand in their own. */
export interface Environment {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Results only. */
  readonly stdout: Writable & { readonly isTTY?: boolean };
  /** Everything else. */
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Emits `SIGINT`. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>;
  /** Ends the process at once, as an interrupt that nobody handles does: exit code 130. */
  readonly exitNow: () => void;
  readonly loadModel: LoadModel;
  readonly loadRetrievalModel: Load<RetrievalModel>;
  readonly loadEmbeddingModel: LoadEmbeddingModel;
  readonly loadHeatmapModel: LoadHeatmapModel;
  /** Here and now: for one image. */
  readonly openImage: OpenImage;
  /** On so many other threads: for many images. */
  readonly openReader: (threads: number) => Promise<ImageReader>;
}

/** The real process and the real library; the library is imported when it is first needed. */
export const processEnvironment: Environment = {
  // Getters: merely touching `process.stdin` opens it.
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
  exitNow: () => {
    temporaryFiles.removeAll();
    // Not `process.exit`: while a worker thread is in native code, that waits for it or aborts the process.
    process.removeAllListeners('SIGINT');
    process.kill(process.pid, 'SIGINT');
  },
  loadModel: async (source, options) => (await import('./model/load-model.ts')).loadModel(source, options),
  loadRetrievalModel: async (source, options) =>
    (await import('./model/load-retrieval-model.ts')).loadRetrievalModel(source, options),
  loadEmbeddingModel: async (source, part, options) =>
    (await import('./model/load-embedding-model.ts')).loadEmbeddingModel(source, part, options),
  loadHeatmapModel: async (source, subject, options) =>
    (await import('./model/load-heatmap-model.ts')).loadHeatmapModel(source, subject, options),
  openImage: async (source, options) => (await import('./images/open-image.ts')).openImage(source, options),
  openReader: async (threads) => (await import('./images/image-threads.ts')).imageThreads(threads),
};
