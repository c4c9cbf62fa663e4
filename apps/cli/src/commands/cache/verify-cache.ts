import type { CachedConversion } from '@blip2/checkpoint';
import type { CachedModel, VerifiedFile } from '@blip2/hub';

import { ExitCode } from '../../exit-code.ts';
import { describeFailure, exitCodeOf } from '../../failure.ts';
import { oneLine } from '../../output/display-text.ts';
import type { CacheCall, CacheOptions } from './cache-call.ts';
import { conversionName, conversionsOf } from './conversions.ts';

/** `blip2 cache verify`: compares every file with its checksum. */
export async function verifyCache(call: CacheCall): Promise<ExitCode> {
  const { models, options } = call;
  const { listCachedModels } = await import('@blip2/hub');
  const { listCachedConversions } = await import('@blip2/checkpoint');
  const all = await listCachedConversions();
  const conversions =
    models.length > 0 ? (await Promise.all(models.map((model) => conversionsOf(model, all)))).flat() : all;
  const cached = options.converted === true ? [] : await listCachedModels(call.folder);
  let bad = 0;
  for (const id of idsOf(call, cached, conversions)) bad += await verifyModel(id, cached, call);
  if (options.revision === undefined) bad += await verifyConversions(conversions, call);
  return bad > 0 ? ExitCode.failed : ExitCode.done;
}

/** The models to verify in the hub cache. A folder whose weights were converted is not one: it has no checksums. */
function idsOf(
  { models, options }: CacheCall,
  cached: readonly CachedModel[],
  conversions: readonly CachedConversion[],
): readonly string[] {
  if (models.length === 0) return cached.map(({ id }) => id);
  if (options.converted === true) return [];
  return models.filter(
    (model) => cached.some(({ id }) => id === model) || !conversions.some((each) => each.model !== model),
  );
}

async function verifyModel(
  id: string,
  cached: readonly CachedModel[],
  { folder, models, options, signal, print }: CacheCall,
): Promise<number> {
  const { verifyCachedModel } = await import('@blip2/hub');
  const { revision: given, removeDamaged = false, quiet = false, json = false } = options;
  const revisions = cached.find((model) => model.id === id)?.revisions.map(({ commit }) => commit) ?? ['main'];
  let bad = 0;
  for (const revision of given === undefined ? revisions : [given]) {
    const files = await verifyCachedModel(folder, id, { revision, signal, removeDamaged }).catch((error: unknown) => {
      // A wrong argument ends the command; a cache that cannot be read does not end the check of the other models.
      if (signal.aborted || exitCodeOf(error) === ExitCode.badUsage || models.length === 1) throw error;
      return describeFailure(error);
    });
    if ('code' in files) {
      bad++;
      await print(
        json
          ? `${JSON.stringify({ model: id, revision, state: 'unreadable', error: files })}\n`
          : `unreadable\t${oneLine(id)}\t${files.code}: ${files.message}\n`,
      );
      continue;
    }
    const unsound = files.filter(({ state }) => state !== 'ok' && state !== 'unknown');
    bad += unsound.length;
    await print(fileLines(id, revision, quiet || !json ? unsound : files, options));
    const sound = files.filter(({ state }) => state === 'ok').length;
    if (!json && !quiet)
      await print(`${oneLine(id)} ${revision.slice(0, 12)}: ${sound} of ${files.length} files are intact\n`);
  }
  return bad;
}

function fileLines(id: string, revision: string, files: readonly VerifiedFile[], { json }: CacheOptions): string {
  return files
    .map(({ path, state }) =>
      json === true
        ? `${JSON.stringify({ model: id, revision, file: path, state })}\n`
        : `${state}\t${oneLine(id)}\t${oneLine(path)}\n`,
    )
    .join('');
}

/** Reads converted and prepacked weights completely, reports damaged ones, and returns their number. */
async function verifyConversions(conversions: readonly CachedConversion[], call: CacheCall): Promise<number> {
  const { packedFolderOf, removeCachedConversions, verifyCachedConversion } = await import('@blip2/checkpoint');
  const { verifyPrepacked } = await import('@blip2/runtime');
  const { signal } = call;
  const damaged: CachedConversion[] = [];
  const leftovers: string[] = [];
  for (const conversion of conversions) {
    const { model, file } = conversion;
    const name = conversionName(conversion).replace('\t', ' ');
    const state = await verifyCachedConversion(conversion, signal);
    if (state === 'damaged') damaged.push(conversion);
    await printVerified({ kind: 'converted', model, file, state }, name, call);
    for (const { folder, state: packed } of await verifyPrepacked(packedFolderOf(file), { signal })) {
      if (packed === 'damaged') leftovers.push(folder);
      await printVerified({ kind: 'prepacked', model, file: folder, state: packed }, `${name}, prepacked`, call);
    }
  }
  if (call.options.removeDamaged === true) await removeCachedConversions({ conversions: damaged, leftovers });
  return damaged.length + leftovers.length;
}

interface Verified {
  readonly kind: 'converted' | 'prepacked';
  readonly model: string | undefined;
  /** The converted file, or the folder of prepacked weights. */
  readonly file: string;
  readonly state: 'ok' | 'damaged' | 'unknown';
}

async function printVerified(verified: Verified, name: string, { options, print }: CacheCall): Promise<void> {
  const { json = false, quiet = false } = options;
  const { file, state } = verified;
  if (json && (!quiet || state === 'damaged')) await print(`${JSON.stringify(verified)}\n`);
  else if (state === 'damaged') await print(`damaged\t${oneLine(file)}\n`);
  else if (!quiet) await print(`${name}: ${state === 'ok' ? 'intact' : 'header intact, no checksum'}\n`);
}
