/** Downloads the repository of the first argument. */
import { downloadModel } from '@blip2/hub';

await downloadModel(process.argv[2] ?? '');
