import { fileURLToPath } from 'node:url';

/** The checkpoint that ships with the command, so that the first command works offline. */
export const demoModelFolder: string = fileURLToPath(new URL('../../models/blip2-opt-shapes', import.meta.url));

/** The one that compares images with texts. */
export const demoRetrievalFolder: string = fileURLToPath(new URL('../../models/blip2-itm-shapes', import.meta.url));

/** Said on stderr whenever the demo checkpoint answers: it must not pass for a real model. */
export const DEMO_MODEL_NOTICE: string =
  'Note: this is the built-in demo checkpoint, a toy trained on drawn coloured shapes only; what it says about any other image means nothing. ' +
  'For real images name a BLIP-2 checkpoint: --model Salesforce/blip2-flan-t5-xl (some 16 GB are downloaded), or --model FOLDER.\n';
