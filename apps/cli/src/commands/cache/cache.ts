import type { CachedConversion } from '@blip2/checkpoint';
import type { CachedModel, VerifiedFile } from '@blip2/hub';
import { Blip2Error, nearestName } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { byteSize } from '../../hub/byte-size.ts';
import { positiveNumber } from '../../options/argument-parsers.ts';
import { oneLine } from '../../output/one-line.ts';
import { stdoutSink } from '../../output/stdout-sink.ts';
import { listenForInterrupts } from '../../run/interruption.ts';
import { conversionLines } from './conversion-lines.ts';
import { conversionsOf } from './conversions-of.ts';
import { verifyConversions } from './verify-conversions.ts';

interface CacheOptions {
  readonly revision?: string;
  readonly cacheDir?: string;
  readonly dryRun?: boolean;
  readonly converted?: boolean;
  readonly unusedFor?: number;
  readonly removeDamaged?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** What an action of `blip2 cache` works on. */
interface CacheCall {
  readonly folder: string;
  readonly models: readonly string[];
  readonly options: CacheOptions;
  readonly signal: AbortSignal;
  readonly print: (lines: string) => Promise<void>;
}

const ACTIONS: Readonly<Record<string, (call: CacheCall) => Promise<ExitCode>>> = {
  ls: list,
  list,
  verify,
  prune,
  rm: remove,
};

/** `blip2 cache`: what the cache holds, whether it is sound, and away with what is not needed. */
export const cacheCommand: CliCommand = {
  name: 'cache',
  configure(command) {
    command
      .description(
        'The models in the shared Hugging Face cache, and the weights that were converted from models: list (ls), check every checksum (verify), remove what is left over (prune) or a model (rm).',
      )
      .argument('[action]', 'ls, verify, prune or rm', 'ls')
      .argument('[model...]', 'Hub ids, or folders whose weights were converted, for verify (default: all) and rm')
      .option('--revision <name>', 'For verify: branch, tag or commit (default: all that are here)')
      .option('--cache-dir <folder>', 'Cache to use (default: HF_HUB_CACHE, else HF_HOME/hub)')
      .option('--remove-damaged', 'For verify: take damaged files away, so that blip2 download brings them again')
      .option('--converted', 'Converted weights alone; with rm and no model: all of them')
      .option('--unused-for <days>', 'For prune: also converted weights that nobody used for so long', positiveNumber)
      .option('--dry-run', 'For prune and rm: only say what would go')
      .addOption(new Option('--json', 'One JSON object per line').helpGroup('Output:'))
      .addOption(new Option('--quiet', 'For verify: only files that are not sound').helpGroup('Output:'))
      .addOption(new Option('--verbose', 'Errors with their stack').helpGroup('Output:'))
      .addHelpText('after', NOTES);
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<CacheOptions>();
    const [action = 'ls', ...models] = command.args;
    const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (!act) {
      const nearest = nearestName(action, Object.keys(ACTIONS));
      throw new Blip2Error('INVALID_ARGUMENT', 'The cache has no such action', {
        got: action,
        expected: 'ls, verify, prune or rm',
        ...(nearest !== undefined && { fix: `Did you mean ${nearest}?` }),
      });
    }
    const { hubCacheFolder } = await import('@blip2/hub');
    using interruption = listenForInterrupts(environment, true);
    const folder = await hubCacheFolder(options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir });
    return await act({
      folder,
      models,
      options,
      signal: interruption.signal,
      print: stdoutSink(environment.stdout).write,
    });
  },
};

async function list({ folder, options, print }: CacheCall): Promise<ExitCode> {
  const { listCachedModels } = await import('@blip2/hub');
  const { listCachedConversions } = await import('@blip2/checkpoint');
  const json = options.json === true;
  if (options.converted !== true) {
    const models = await listCachedModels(folder);
    await print(
      json
        ? models.map(({ id, ...rest }) => `${JSON.stringify({ model: id, ...rest })}\n`).join('')
        : modelLines(models, folder),
    );
  }
  const conversions = await listCachedConversions();
  await print(conversionLines(conversions, json));
  if (!json && (conversions.length > 0 || options.converted === true))
    await print(`${conversions.length} converted, ${byteSize(totalBytes(conversions))}\n`);
  return ExitCode.done;
}

function totalBytes(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

function modelLines(models: readonly CachedModel[], folder: string): string {
  const rows = models.flatMap(({ id, bytes, revisions, incompleteBytes }) => [
    `${id}\t${byteSize(bytes)}\t${revisions.map(({ commit, refs }) => `${commit.slice(0, 12)}${refs.length > 0 ? ` (${oneLine(refs.join(', '))})` : ''}`).join(', ') || 'nothing complete'}${incompleteBytes > 0 ? `, ${byteSize(incompleteBytes)} unfinished` : ''}\n`,
  ]);
  return `${rows.join('')}${models.length} model${models.length === 1 ? '' : 's'}, ${byteSize(totalBytes(models))} in ${oneLine(folder)}\n`;
}

async function verify(call: CacheCall): Promise<ExitCode> {
  const { models, options, signal, print } = call;
  const { listCachedModels } = await import('@blip2/hub');
  const { listCachedConversions } = await import('@blip2/checkpoint');
  const converted = await listCachedConversions();
  const own =
    models.length > 0 ? (await Promise.all(models.map((model) => conversionsOf(model, converted)))).flat() : converted;
  const cached = options.converted === true ? [] : await listCachedModels(call.folder);
  // What weights were converted from may be a folder, which has no checksums.
  const ids =
    models.length > 0
      ? models.filter(
          (model) =>
            options.converted !== true &&
            (cached.some(({ id }) => id === model) || !own.some((each) => each.model !== model)),
        )
      : cached.map(({ id }) => id);
  let bad = 0;
  for (const id of ids) bad += await verifyModel(id, cached, call);
  const { json = false, quiet = false, removeDamaged = false } = options;
  if (options.revision === undefined)
    bad += await verifyConversions(own, { json, quiet, removeDamaged, signal, print });
  return bad > 0 ? ExitCode.failed : ExitCode.done;
}

async function verifyModel(
  id: string,
  cached: readonly CachedModel[],
  { folder, options, signal, print }: CacheCall,
): Promise<number> {
  const { verifyCachedModel } = await import('@blip2/hub');
  const revisions =
    options.revision === undefined
      ? cached.find((model) => model.id === id)?.revisions.map(({ commit }) => commit)
      : undefined;
  let bad = 0;
  for (const revision of revisions ?? [options.revision ?? 'main']) {
    const files = await verifyCachedModel(folder, id, {
      revision,
      signal,
      removeDamaged: options.removeDamaged === true,
    });
    const unsound = files.filter(({ state }) => state === 'damaged' || state === 'missing');
    bad += unsound.length;
    await print(verdictLines(id, revision, options.quiet === true || options.json !== true ? unsound : files, options));
    if (options.json !== true && options.quiet !== true)
      await print(
        `${oneLine(id)} ${revision.slice(0, 12)}: ${files.filter(({ state }) => state === 'ok').length} of ${files.length} files are sound\n`,
      );
  }
  return bad;
}

function verdictLines(id: string, revision: string, files: readonly VerifiedFile[], { json }: CacheOptions): string {
  return files
    .map(({ path, state }) =>
      json === true
        ? `${JSON.stringify({ model: id, revision, file: path, state })}\n`
        : `${state}\t${oneLine(id)}\t${oneLine(path)}\n`,
    )
    .join('');
}

/** Milliseconds. */
const DAY = 86_400_000;

async function prune({ folder, options, print }: CacheCall): Promise<ExitCode> {
  const { planPrune, pruneCache } = await import('@blip2/hub');
  const { planConversionPrune, removeCachedConversions } = await import('@blip2/checkpoint');
  const hub = options.converted === true ? { files: [], bytes: 0 } : await planPrune(folder);
  const converted = await planConversionPrune(
    undefined,
    options.unusedFor === undefined ? {} : { unusedFor: options.unusedFor * DAY },
  );
  const dry = options.dryRun === true;
  if (!dry) {
    await pruneCache(hub);
    await removeCachedConversions(converted);
  }
  const files = [...hub.files, ...converted.conversions.map(({ file }) => file), ...converted.leftovers];
  const bytes = hub.bytes + converted.bytes;
  if (options.json === true) await print(`${JSON.stringify({ files, bytes, removed: !dry })}\n`);
  else
    await print(
      `${dry ? files.map((path) => `${oneLine(path)}\n`).join('') : ''}${dry ? 'Would free' : 'Freed'} ${byteSize(bytes)}\n`,
    );
  return ExitCode.done;
}

async function remove({ folder, models, options, print }: CacheCall): Promise<ExitCode> {
  if (models.length === 0 && options.converted !== true)
    throw new Blip2Error('INVALID_ARGUMENT', 'Nothing to remove is named', {
      expected: 'blip2 cache rm MODEL…, or blip2 cache rm --converted for all converted weights',
    });
  const { listCachedModels, removeCachedModel } = await import('@blip2/hub');
  const { listCachedConversions, removeCachedConversions } = await import('@blip2/checkpoint');
  const cached = new Map(
    options.converted === true ? [] : (await listCachedModels(folder)).map((model) => [model.id, model]),
  );
  const conversions = await listCachedConversions();
  const targets =
    models.length > 0
      ? await targetsOf(models, cached, conversions)
      : [{ name: 'converted weights', converted: conversions }];
  for (const { name, converted } of targets) {
    const model = cached.get(name);
    const bytes = (model?.bytes ?? 0) + totalBytes(converted);
    if (options.dryRun !== true) {
      if (model) await removeCachedModel(folder, name);
      await removeCachedConversions({ conversions: converted, leftovers: [] });
    }
    await print(
      options.json === true
        ? `${JSON.stringify({ model: name, bytes, removed: options.dryRun !== true })}\n`
        : `${oneLine(name)}: ${options.dryRun === true ? 'would free' : 'freed'} ${byteSize(bytes)}\n`,
    );
  }
  return ExitCode.done;
}

interface RemovalTarget {
  readonly name: string;
  readonly converted: readonly CachedConversion[];
}

/**
 * What is in one cache or the other of each model that is named. All or none: a typo must not show after half of the
 * work.
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
  throw new Blip2Error('MISSING_FILE', 'The model is not in the cache', {
    where: missing.name,
    ...(nearest !== undefined && { fix: `Did you mean ${nearest}?` }),
  });
}

const NOTES = `
verify ends with exit code 1 if a file is damaged or missing; blip2 download brings missing ones, and damaged ones once --remove-damaged took
them away. prune removes snapshots that no branch leads to,
what only they used, and downloads that were given up; and converted weights whose model is gone or has changed, are damaged, or unfinished. The
cache is shared with Python: do not prune while another program downloads into it.

Converted weights are what --dtype keeps in BLIP2_CACHE; what is removed is made again when it is needed. A program that has them in use keeps
them (on Windows they cannot be removed then); one that has not loaded all of its parts yet has to load the model again.

Examples:
  blip2 cache
  blip2 cache verify Salesforce/blip2-flan-t5-xl
  blip2 cache prune --dry-run
  blip2 cache rm Salesforce/blip2-opt-2.7b
  blip2 cache ls --converted
  blip2 cache prune --converted --unused-for 30
  blip2 cache rm --converted
`;
