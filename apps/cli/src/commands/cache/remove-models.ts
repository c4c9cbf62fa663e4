import type { CachedConversion } from '@blip2/checkpoint';
import type { CachedModel } from '@blip2/hub';
import { Blip2Error, defined, nearestName } from '@blip2/interfaces';

import { ExitCode } from '../../exit-code.ts';
import { byteSize, oneLine } from '../../output/display-text.ts';
import { type CacheCall, totalBytes } from './cache-call.ts';
import { conversionsOf } from './conversions.ts';

/** `blip2 cache rm`: removes models and their converted weights. */
export async function removeModels({ folder, models, options, print }: CacheCall): Promise<ExitCode> {
  if (models.length === 0 && options.converted !== true)
    throw new Blip2Error('INVALID_ARGUMENT', 'rm needs a model', {
      expected: 'blip2 cache rm MODEL…, or blip2 cache rm --converted for all converted weights',
    });
  const { listCachedModels, planRemoval, removeCachedModel } = await import('@blip2/hub');
  const { listCachedConversions, removeCachedConversions } = await import('@blip2/checkpoint');
  const cached = new Map(
    options.converted === true ? [] : (await listCachedModels(folder)).map((model) => [model.id, model]),
  );
  const conversions = await listCachedConversions();
  const targets =
    models.length > 0
      ? await targetsOf(models, cached, conversions)
      : [{ name: 'converted weights', converted: conversions }];
  const dry = options.dryRun === true;
  const planned = new Map(
    (
      await planRemoval(
        folder,
        targets.map(({ name }) => name).filter((name) => cached.has(name)),
      )
    ).map(({ id, bytes }) => [id, bytes]),
  );
  for (const { name, converted } of targets) {
    const hubBytes = !planned.has(name) ? 0 : dry ? (planned.get(name) ?? 0) : await removeCachedModel(folder, name);
    if (!dry) await removeCachedConversions({ conversions: converted, leftovers: [] });
    const bytes = hubBytes + totalBytes(converted);
    await print(
      options.json === true
        ? `${JSON.stringify({ model: name, bytes, removed: !dry })}\n`
        : `${oneLine(name)}: ${dry ? 'would free' : 'freed'} ${byteSize(bytes)}\n`,
    );
  }
  return ExitCode.done;
}

interface RemovalTarget {
  readonly name: string;
  readonly converted: readonly CachedConversion[];
}

/**
 * Looks up every model before any is removed, so that a typo does not stop half-way.
 * @throws Blip2Error `MISSING_FILE` if a model is in neither cache.
 */
async function targetsOf(
  models: readonly string[],
  cached: ReadonlyMap<string, CachedModel>,
  conversions: readonly CachedConversion[],
): Promise<readonly RemovalTarget[]> {
  const targets = await Promise.all(
    [...new Set(models)].map(async (name) => ({ name, converted: await conversionsOf(name, conversions) })),
  );
  const missing = targets.find(({ name, converted }) => !cached.has(name) && converted.length === 0);
  if (!missing) return targets;
  const nearest = nearestName(missing.name, [...cached.keys(), ...conversions.flatMap(({ model }) => model ?? [])]);
  const fix = nearest === undefined ? undefined : `Did you mean ${nearest}?`;
  throw new Blip2Error('MISSING_FILE', 'The model is not in the cache', {
    where: missing.name,
    ...defined({ fix }),
  });
}
