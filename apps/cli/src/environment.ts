import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

import type { ModelHosts, StartHostsOptions } from '@blip2/blip2/hosts';
import type { ServeMcpOptions } from '@blip2/mcp';
import type { serve } from '@blip2/server';
import type { train } from '@blip2/train';

import type { EndingSignal } from './exit-code.ts';
import type { ImageReader, OpenImage } from './images/image-port.ts';
import type { LoadHeatmapModel } from './model/heatmap-port.ts';
import type {
  FeaturePartsOf,
  ImageEncoder,
  Load,
  LoadEmbeddingModel,
  LoadModel,
  RetrievalModel,
} from './model/model-port.ts';

/** The only access of commands to the process and to the library. Tests pass a fake. */
export interface Environment {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Results only. */
  readonly stdout: Writable & { readonly isTTY?: boolean };
  /** Everything else. */
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Emits `SIGINT`, `SIGTERM` and `SIGHUP`. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>;
  /** Ends the process immediately, like an unhandled signal of this name. */
  readonly exitNow: (signal: EndingSignal) => void;
  /**
   * Starts the threads or processes of a model, before the library is loaded in this one. Absent where models run on
   * the calling thread.
   */
  readonly startHosts?: (options: StartHostsOptions) => Promise<ModelHosts>;
  readonly loadModel: LoadModel;
  readonly loadRetrievalModel: Load<RetrievalModel>;
  readonly loadEmbeddingModel: LoadEmbeddingModel;
  readonly featurePartsOf: FeaturePartsOf;
  readonly loadHeatmapModel: LoadHeatmapModel;
  readonly openImageEncoder: Load<ImageEncoder>;
  /** Starts an HTTP server. */
  readonly serve: typeof serve;
  /** Trains the bridge of a model. */
  readonly train: typeof train;
  /** Serves MCP until the client disconnects. */
  readonly serveMcp: (options: ServeMcpOptions) => Promise<void>;
  /** Decodes one image on the calling thread. */
  readonly openImage: OpenImage;
  /** Decodes images on `threads` worker threads, by default as many as suit the cores. */
  readonly openReader: (threads: number | undefined) => Promise<ImageReader>;
}
