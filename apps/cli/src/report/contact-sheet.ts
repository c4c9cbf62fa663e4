import { replacedFile } from '../output/replaced-file.ts';
import type { Outcome } from '../output/result-sink.ts';
import { sheetCard, sheetFoot, sheetHead, type SheetImage, type SheetTitle } from './sheet-html.ts';

/** An HTML page of images with their texts, written during the run. */
export interface ContactSheet {
  add(image: SheetImage): Promise<void>;
  /** Keeps the page after `finished` and `interrupted`. */
  close(outcome: Outcome): Promise<void>;
}

/**
 * Opens a contact sheet, under a temporary name until it is closed. Without images, no file is created.
 * @throws Blip2Error `WRITE_FAILED`, from both methods.
 */
export function contactSheet(file: string, title: SheetTitle, signal?: AbortSignal | undefined): ContactSheet {
  const target = replacedFile(file, { signal });
  let shown = 0;
  let failed = 0;
  return {
    async add(image) {
      await target.write(shown === 0 ? sheetHead(title) + sheetCard(image) : sheetCard(image));
      shown++;
      if (image.failure) failed++;
    },
    async close(outcome) {
      try {
        if (shown > 0 && outcome !== 'failed')
          await target.write(sheetFoot({ shown, failed, whole: outcome === 'finished' }));
      } finally {
        await target.close(outcome);
      }
    },
  };
}
