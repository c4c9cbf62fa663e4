import { type OpenedOutput, openOutput, type OpenSettings } from './opened-output.ts';
import { outputTarget } from './output-target.ts';
import type { ResultSink } from './result-sink.ts';
import { writeFailed } from './write-failed.ts';

/** A sink that accepts bytes as well as lines. */
export interface ReplacedFile extends ResultSink {
  write(content: string | Uint8Array): Promise<void>;
}

/**
 * Writes a file under a temporary name next to it and renames it when it is complete. Links are followed, the
 * permissions of an existing file are kept, and pipes and devices are written directly. Without content, no file.
 */
export function replacedFile(file: string, { signal }: Pick<OpenSettings, 'signal'> = {}): ReplacedFile {
  let opened: OpenedOutput | undefined;
  return {
    done: new Map(),
    resumable: false,
    async write(content) {
      try {
        opened ??= await openOutput(await outputTarget(file), { signal });
        await opened.write(content);
      } catch (cause) {
        throw writeFailed(file, cause);
      }
    },
    async close(outcome) {
      const closing = opened;
      // Cleaning up after a failed close may close the file again.
      opened = undefined;
      try {
        await (outcome === 'failed' ? closing?.discard() : closing?.commit());
      } catch (cause) {
        throw writeFailed(file, cause);
      }
    },
  };
}

/** Writes a small file in one step: temporary name, then rename. */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  settings: Pick<OpenSettings, 'signal'> = {},
): Promise<void> {
  const target = replacedFile(file, settings);
  try {
    await target.write(content);
  } catch (error) {
    await target.close('failed').catch(() => {});
    throw error;
  }
  await target.close('finished');
}
