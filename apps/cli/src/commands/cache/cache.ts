import { defined, mustBe, nearestName } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import type { ExitCode } from '../../exit-code.ts';
import { positiveNumber } from '../../options/argument-parsers.ts';
import { verboseOption } from '../../options/common-options.ts';
import { stdoutSink } from '../../output/result-sink.ts';
import { listenForInterrupts } from '../../run/interruption.ts';
import type { CacheCall, CacheOptions } from './cache-call.ts';

type Action = (call: CacheCall) => Promise<ExitCode>;

const list = async (): Promise<Action> => (await import('./list-cache.ts')).listCache;

/** Loaders of the actions, so that `--help` does not load them. */
const ACTIONS: Readonly<Record<string, () => Promise<Action>>> = {
  ls: list,
  list,
  verify: async () => (await import('./verify-cache.ts')).verifyCache,
  prune: async () => (await import('./prune-caches.ts')).pruneCaches,
  rm: async () => (await import('./remove-models.ts')).removeModels,
};

/** `blip2 cache`: lists, verifies and cleans up the cache of models and of converted weights. */
export const cacheCommand: CliCommand = {
  name: 'cache',
  description:
    'Manage the models in the shared Hugging Face cache and the converted weights: list (ls), check every checksum ' +
    '(verify), remove what is no longer needed (prune) or a model (rm).',
  notes: `
verify ends with exit code 1 if a file is damaged, missing or unreadable. blip2 download fetches missing files, and
damaged ones after --remove-damaged has deleted them. prune removes snapshots without a branch or tag, the files that
only they use, and abandoned downloads, as well as converted weights that are damaged or incomplete, or whose model was
deleted or changed. Unfinished files of other machines that share the cache are watched for a minute first. The cache
is shared with Python: do not prune or remove while another program downloads into it.
Sizes are those on disk: a file that several models share is freed with the last of them.

Converted weights are what --dtype stores in BLIP2_CACHE. Removed weights are converted again when needed. A running
program keeps those it has mapped (Windows refuses to remove them); one that has not loaded all components yet must
load the model again.

Examples:
  blip2 cache
  blip2 cache verify Salesforce/blip2-flan-t5-xl
  blip2 cache prune --dry-run
  blip2 cache rm Salesforce/blip2-opt-2.7b
  blip2 cache ls --converted
  blip2 cache prune --converted --unused-for 30
  blip2 cache rm --converted
`,
  configure(command) {
    command
      .argument('[action]', 'ls, verify, prune or rm', 'ls')
      .argument('[model...]', 'For verify (default: all) and rm: hub ids, or folders whose weights were converted')
      .option('--revision <name>', 'For verify: branch, tag or commit (default: all in the cache)')
      .option('--cache-dir <folder>', 'Cache to use (default: HF_HUB_CACHE, else HF_HOME/hub)')
      .option('--remove-damaged', 'For verify: delete damaged files, so that blip2 download fetches them again')
      .option('--converted', 'Only converted weights; with rm and no model: all of them')
      .option('--unused-for <days>', 'For prune: also converted weights unused for this long', positiveNumber)
      .option('--dry-run', 'For prune and rm: only show what would be removed')
      .addOption(new Option('--json', 'One JSON object per line').helpGroup('Output:'))
      .addOption(new Option('--quiet', 'For verify: only damaged and missing files').helpGroup('Output:'))
      .addOption(verboseOption());
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<CacheOptions>();
    const [action = 'ls', ...models] = command.args;
    const load = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (!load) {
      const nearest = nearestName(action, Object.keys(ACTIONS));
      const fix = nearest === undefined ? undefined : `Did you mean ${nearest}?`;
      throw mustBe('The cache action', 'ls, verify, prune or rm', action, defined({ fix }));
    }
    const { hubCacheFolder } = await import('@blip2/hub');
    using interruption = listenForInterrupts(environment, true);
    const folder = await hubCacheFolder(defined({ cacheDir: options.cacheDir }));
    const { write: print } = stdoutSink(environment.stdout);
    const act = await load();
    return await act({ folder, models, options, signal: interruption.signal, print });
  },
};
