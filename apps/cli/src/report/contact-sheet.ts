import { replacedFile } from '../output/replaced-file.ts';
import type { Outcome } from '../output/result-sink.ts';
import { sheetCard, sheetFoot, sheetHead, type SheetImage, type SheetTitle } from './sheet-html.ts';

/** A page of images with what was said about them, in a file of its own, written as the run goes. */
export interface ContactSheet {
  add(image: SheetImage): Promise<void>;
  /** What came before stays after `finished` and `interrupted`. */
  close(outcome: Outcome): Promise<void>;
}

/** Under a temporary name until it is closed; no file without an image. Throws `WRITE_FAILED`. */
export function contactSheet(file: string, title: SheetTitle): ContactSheet {
  const target = replacedFile(file);
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
