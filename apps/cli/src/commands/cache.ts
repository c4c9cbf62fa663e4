import type { CachedModel, VerifiedFile } from '@blip2/checkpoint';
import { Blip2Error, nearestName } from '@blip2/interfaces';
import { Option, type Command } from 'commander';
import type { CliCommand } from '../command.ts';
import type { Environment } from '../environment.ts';
import { ExitCode } from '../exit-code.ts';
import { byteSize } from '../hub/byte-size.ts';
import { oneLine } from '../output/one-line.ts';
import { stdoutSink } from '../output/stdout-sink.ts';
import { listenForInterrupts } from '../run/interruption.ts';

interface CacheOptions {
  readonly revision?: string;
  readonly cacheDir?: string;
  readonly dryRun?: boolean;
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

const ACTIONS: Readonly<Record<string, (call: CacheCall) => Promise<ExitCode>>> = { ls: list, list, verify, prune, rm: remove };

/** `blip2 cache`: what the cache holds, whether it is sound, and away with what is not needed. */
export const cacheCommand: CliCommand = {
  name: 'cache',
  configure(command) {
    command
      .description('The models in the shared Hugging Face cache: list (ls), check every checksum (verify), remove what is left over (prune) or a model (rm).')
      .argument('[action]', 'ls, verify, prune or rm', 'ls')
      .argument('[model...]', 'Hub ids, for verify (default: all) and rm')
      .option('--revision <name>', 'For verify: branch, tag or commit (default: all that are here)')
      .option('--cache-dir <folder>', 'Cache to use (default: HF_HUB_CACHE, else HF_HOME/hub)')
      .option('--remove-damaged', 'For verify: take damaged files away, so that blip2 download brings them again')
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
      throw new Blip2Error('INVALID_ARGUMENT', 'The cache has no such action', { got: action, expected: 'ls, verify, prune or rm', ...(nearest !== undefined && { fix: `Did you mean ${nearest}?` }) });
    }
    const { hubCacheFolder } = await import('@blip2/checkpoint');
    using interruption = listenForInterrupts(environment, true);
    const folder = await hubCacheFolder(options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir });
    return await act({ folder, models, options, signal: interruption.signal, print: stdoutSink(environment.stdout).write });
  },
};

async function list({ folder, options, print }: CacheCall): Promise<ExitCode> {
  const { listCachedModels } = await import('@blip2/checkpoint');
  const models = await listCachedModels(folder);
  if (options.json === true) await print(models.map(({ id, ...rest }) => `${JSON.stringify({ model: id, ...rest })}\n`).join(''));
  else await print(modelLines(models, folder));
  return ExitCode.done;
}

function modelLines(models: readonly CachedModel[], folder: string): string {
  const rows = models.flatMap(({ id, bytes, revisions, incompleteBytes }) => [
    `${id}\t${byteSize(bytes)}\t${revisions.map(({ commit, refs }) => `${commit.slice(0, 12)}${refs.length > 0 ? ` (${oneLine(refs.join(', '))})` : ''}`).join(', ') || 'nothing complete'}${incompleteBytes > 0 ? `, ${byteSize(incompleteBytes)} unfinished` : ''}\n`,
  ]);
  const total = models.reduce((sum, { bytes }) => sum + bytes, 0);
  return `${rows.join('')}${models.length} model${models.length === 1 ? '' : 's'}, ${byteSize(total)} in ${oneLine(folder)}\n`;
}

async function verify({ folder, models, options, signal, print }: CacheCall): Promise<ExitCode> {
  const { listCachedModels, verifyCachedModel } = await import('@blip2/checkpoint');
  const cached = await listCachedModels(folder);
  let bad = 0;
  for (const id of models.length > 0 ? models : cached.map((model) => model.id)) {
    const revisions = options.revision === undefined ? cached.find((model) => model.id === id)?.revisions.map(({ commit }) => commit) : undefined;
    for (const revision of revisions ?? [options.revision ?? 'main']) {
      const files = await verifyCachedModel(folder, id, { revision, signal, removeDamaged: options.removeDamaged === true });
      const unsound = files.filter(({ state }) => state === 'damaged' || state === 'missing');
      bad += unsound.length;
      await print(verdictLines(id, revision, options.quiet === true || options.json !== true ? unsound : files, options));
      if (options.json !== true && options.quiet !== true) await print(`${oneLine(id)} ${revision.slice(0, 12)}: ${files.filter(({ state }) => state === 'ok').length} of ${files.length} files are sound\n`);
    }
  }
  return bad > 0 ? ExitCode.failed : ExitCode.done;
}

function verdictLines(id: string, revision: string, files: readonly VerifiedFile[], { json }: CacheOptions): string {
  return files.map(({ path, state }) => (json === true ? `${JSON.stringify({ model: id, revision, file: path, state })}\n` : `${state}\t${oneLine(id)}\t${oneLine(path)}\n`)).join('');
}

async function prune({ folder, options, print }: CacheCall): Promise<ExitCode> {
  const { planPrune, pruneCache } = await import('@blip2/checkpoint');
  const plan = await planPrune(folder);
  if (options.dryRun !== true) await pruneCache(plan);
  if (options.json === true) await print(`${JSON.stringify({ ...plan, removed: options.dryRun !== true })}\n`);
  else await print(`${options.dryRun === true ? plan.files.map((path) => `${oneLine(path)}\n`).join('') : ''}${options.dryRun === true ? 'Would free' : 'Freed'} ${byteSize(plan.bytes)}\n`);
  return ExitCode.done;
}

async function remove({ folder, models, options, print }: CacheCall): Promise<ExitCode> {
  if (models.length === 0) throw new Blip2Error('INVALID_ARGUMENT', 'Nothing to remove is named', { expected: 'blip2 cache rm MODEL…' });
  const { listCachedModels, removeCachedModel } = await import('@blip2/checkpoint');
  const cached = new Map((await listCachedModels(folder)).map((model) => [model.id, model]));
  // All or none: a typo must not show after half of the work.
  for (const id of models) {
    if (cached.has(id)) continue;
    const nearest = nearestName(id, [...cached.keys()]);
    throw new Blip2Error('MISSING_FILE', 'The model is not in the cache', { where: id, ...(nearest !== undefined && { fix: `Did you mean ${nearest}?` }) });
  }
  for (const id of new Set(models)) {
    const bytes = options.dryRun === true ? (cached.get(id)?.bytes ?? 0) : await removeCachedModel(folder, id);
    await print(options.json === true ? `${JSON.stringify({ model: id, bytes, removed: options.dryRun !== true })}\n` : `${id}: ${options.dryRun === true ? 'would free' : 'freed'} ${byteSize(bytes)}\n`);
  }
  return ExitCode.done;
}

const NOTES = `
verify ends with exit code 1 if a file is damaged or missing; blip2 download brings missing ones, and damaged ones once --remove-damaged took
them away. prune removes snapshots that no branch leads to,
what only they used, and downloads that were given up. The cache is shared with Python: do not prune while another program downloads into it.

Examples:
  blip2 cache
  blip2 cache verify Salesforce/blip2-flan-t5-xl
  blip2 cache prune --dry-run
  blip2 cache rm Salesforce/blip2-opt-2.7b
`;
