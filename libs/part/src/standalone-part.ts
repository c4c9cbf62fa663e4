import type { SaveOptions } from '@blip2/checkpoint';
import type { PrepareOptions } from '@blip2/interfaces';
import type { WrittenModel } from '@blip2/onnx';

/** A graph that other runtimes run: with the inputs and outputs that they expect, and nothing computed outside it. */
export interface ExportedGraph {
  /** Name of its file, without extension: `vision_model`. */
  readonly name: string;
  readonly model: WrittenModel;
}

/** Members that every part has. Disposing it releases its sessions and its weights. */
export interface DisposablePart extends AsyncDisposable {
  dispose(): Promise<void>;
  /**
   * The graphs of the part for other runtimes. Absent if it cannot be exported; not available in a worker.
   * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` if the configuration cannot be exported.
   */
  exportGraphs?(): readonly ExportedGraph[];
}

/** Members of a part that exists as a checkpoint of its own. */
export interface StandalonePart<C> extends DisposablePart {
  readonly config: C;
  /** Creates the sessions of the main path before their first use. */
  prepare(options?: PrepareOptions): Promise<void>;
  /** Writes configuration and weights of this part alone, in the layout of the Hugging Face Hub. Streams. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
}
