import { downloadModel } from './download-model.ts';

/**
 * A process that downloads the model that its first argument names: one `bytes FILE N` line per chunk, then the folder.
 */
const [, , id = ''] = process.argv;
const folder = await downloadModel(id, {
  onProgress: ({ file, loaded }) => void process.stdout.write(`bytes ${file} ${loaded}\n`),
});
process.stdout.write(`done ${folder}\n`);
