/** What has been opened on the way to something whole. */
export interface Opened {
  /** Notes what is to be disposed of, and gives it back. */
  keep<Part extends AsyncDisposable>(part: Part): Part;
  /** Disposes of everything, the newest first and each once, also if one of them fails. */
  dispose(): Promise<void>;
}

/**
 * Puts something together of what it opens, which the result disposes of with `dispose`; where it fails on the way,
 * that is done at once.
 */
export async function assemble<Whole>(put: (opened: Opened) => Promise<Whole>): Promise<Whole> {
  const opened = createOpened();
  try {
    return await put(opened);
  } catch (error) {
    // Why it failed says more than what came of it.
    await opened.dispose().catch(() => {});
    throw error;
  }
}

function createOpened(): Opened {
  const parts: AsyncDisposable[] = [];
  return {
    keep(part) {
      parts.push(part);
      return part;
    },
    async dispose() {
      const failures: unknown[] = [];
      for (const part of parts.splice(0).reverse()) {
        try {
          await part[Symbol.asyncDispose]();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
