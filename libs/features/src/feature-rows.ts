import { type FileHandle, open } from 'node:fs/promises';

import { readFailure } from '@blip2/files';

import { damaged, type FeaturePart } from './feature-part.ts';

/** Files that are kept open. */
const MAX_OPEN = 32;

/** Reads rows of many files, of which a few are kept open. */
export class FeatureRows implements AsyncDisposable {
  readonly #open = new Map<string, Promise<FileHandle>>();

  /** Fills `target` with the float16 features of one image. */
  async read({ file, byteOffset }: FeaturePart, row: number, target: Uint8Array): Promise<void> {
    const handle = await this.#handle(file);
    const { bytesRead } = await handle
      .read(target, 0, target.byteLength, byteOffset + row * target.byteLength)
      .catch((cause: unknown) => {
        throw readFailure(cause, file);
      });
    if (bytesRead < target.byteLength) throw damaged(file, 'it is truncated');
  }

  async #handle(file: string): Promise<FileHandle> {
    const known = this.#open.get(file);
    this.#open.delete(file);
    const handle =
      known ??
      open(file).catch((cause: unknown) => {
        throw readFailure(cause, file);
      });
    this.#open.set(file, handle);
    for (const [oldest, other] of this.#open) {
      if (this.#open.size <= MAX_OPEN) break;
      this.#open.delete(oldest);
      await (await other).close();
    }
    return handle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const handles = [...this.#open.values()];
    this.#open.clear();
    for (const handle of handles) await (await handle).close();
  }
}
