import type { SaveOptions } from '@blip2/checkpoint';
import type { PrepareOptions } from '@blip2/interfaces';

/** Members that every part has. Disposing it releases its sessions and its weights. */
export interface DisposablePart extends AsyncDisposable {
  dispose(): Promise<void>;
}

/** Members of a part that exists as a checkpoint of its own. */
export interface StandalonePart<C> extends DisposablePart {
  readonly config: C;
  /** Creates the sessions of the main path before their first use. */
  prepare(options?: PrepareOptions): Promise<void>;
  /** Writes configuration and weights of this part alone, in the layout of the Hugging Face Hub. Streams. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
}
