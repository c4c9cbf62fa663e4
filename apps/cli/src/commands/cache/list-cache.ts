import type { CachedModel, CacheSize } from '@blip2/hub';

import { ExitCode } from '../../exit-code.ts';
import { byteSize, oneLine } from '../../output/display-text.ts';
import { type CacheCall, totalBytes } from './cache-call.ts';
import { conversionLines } from './conversions.ts';

/** `blip2 cache ls`: lists models and converted weights. */
export async function listCache({ folder, options, print }: CacheCall): Promise<ExitCode> {
  const { cacheSize, listCachedModels } = await import('@blip2/hub');
  const { listCachedConversions } = await import('@blip2/checkpoint');
  const json = options.json === true;
  if (options.converted !== true) {
    const models = await listCachedModels(folder);
    await print(
      json
        ? models.map(({ id, ...rest }) => `${JSON.stringify({ model: id, ...rest })}\n`).join('')
        : modelLines(models, await cacheSize(folder, models), folder),
    );
  }
  const conversions = await listCachedConversions();
  await print(conversionLines(conversions, json));
  if (!json && (conversions.length > 0 || options.converted === true))
    await print(`${conversions.length} converted, ${byteSize(totalBytes(conversions))}\n`);
  return ExitCode.done;
}

function modelLines(models: readonly CachedModel[], { bytes, unusedBytes }: CacheSize, folder: string): string {
  const total = `${models.length} model${models.length === 1 ? '' : 's'}, ${byteSize(bytes)}`;
  const unused =
    unusedBytes > 0 ? `${byteSize(unusedBytes)} of them are used by no model: blip2 cache prune removes them\n` : '';
  return `${models.map(modelLine).join('')}${total} in ${oneLine(folder)}\n${unused}`;
}

function modelLine({ id, bytes, revisions, incompleteBytes }: CachedModel): string {
  const commits = revisions.map(({ commit, refs }) => {
    return `${commit.slice(0, 12)}${refs.length > 0 ? ` (${oneLine(refs.join(', '))})` : ''}`;
  });
  const incomplete = incompleteBytes > 0 ? `, ${byteSize(incompleteBytes)} incomplete` : '';
  return `${id}\t${byteSize(bytes)}\t${commits.join(', ') || 'no complete revision'}${incomplete}\n`;
}
