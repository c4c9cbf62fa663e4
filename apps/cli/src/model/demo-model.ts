import { fileURLToPath } from 'node:url';

/** The generation checkpoint in this package, so that the first command works offline. */
export const demoModelFolder: string = fileURLToPath(new URL('../../models/blip2-opt-shapes', import.meta.url));

/** The retrieval checkpoint in this package. */
export const demoRetrievalFolder: string = fileURLToPath(new URL('../../models/blip2-itm-shapes', import.meta.url));

/** Written to stderr whenever a demo checkpoint is used, so that nobody takes it for a real model. */
export const DEMO_MODEL_NOTICE: string =
  'Note: this is the bundled demo checkpoint, which only knows drawn shapes; its results for other images are ' +
  'meaningless. For photographs pass a real checkpoint: --model Salesforce/blip2-flan-t5-xl (downloaded once, ' +
  'about 16 GB) or --model path/to/folder.\n';
