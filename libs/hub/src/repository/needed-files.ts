import { INDEX_FILE, OPEN_CLIP_CONFIG, OPEN_CLIP_FILE, PICKLED_FILE, SINGLE_FILE } from '@blip2/files';
import { Blip2Error, defined } from '@blip2/interfaces';

import type { RepositoryFile } from './repository-files.ts';
import { indexEntry } from './shard-files.ts';

/** Which files of a repository to download: those of the whole model, or those of its processor and tokenizers. */
export type DownloadScope = 'model' | 'processor';

/** Configuration of a model. */
export const CONFIG_FILE = 'config.json';
/** The files of which a model has one. */
const WEIGHT_FILES: readonly string[] = [SINGLE_FILE, INDEX_FILE, OPEN_CLIP_FILE];
/** Configuration of a PEFT adapter, in a repository without a model. */
export const ADAPTER_CONFIG = 'adapter_config.json';
/** Weights of a PEFT adapter. */
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';
/**
 * Files of processor and tokenizers, including those that only Python reads. Fixed paths, so none leaves the folder.
 */
const PROCESSOR_FILES: readonly string[] = [
  'preprocessor_config.json',
  'processor_config.json',
  'chat_template.json',
  'chat_template.jinja',
  ...tokenizerFiles(''),
  ...tokenizerFiles('qformer_tokenizer/'),
];
/** Paths of all needed files but the weights, by scope. */
export const SMALL_FILES: Readonly<Record<DownloadScope, ReadonlySet<string>>> = {
  processor: new Set(PROCESSOR_FILES),
  model: new Set([CONFIG_FILE, OPEN_CLIP_CONFIG, ADAPTER_CONFIG, 'generation_config.json', ...PROCESSOR_FILES]),
};

function tokenizerFiles(folder: string): string[] {
  return [
    'tokenizer.json',
    'tokenizer_config.json',
    'special_tokens_map.json',
    'added_tokens.json',
    'vocab.json',
    'vocab.txt',
    'merges.txt',
  ].map((name) => folder + name);
}

/**
 * The needed files that exist in `tree`, whether or not they are enough. Small files come first, so that problems show
 * before weights are downloaded. `shards` are the names in the shard index, `undefined` if it is not known.
 */
export function filesInScope(
  tree: readonly RepositoryFile[],
  scope: DownloadScope,
  shards: ReadonlySet<string> | undefined,
): readonly RepositoryFile[] {
  const small = tree.filter(({ path }) => SMALL_FILES[scope].has(path));
  return scope === 'model' ? [...small, ...weightFiles(tree, shards)] : small;
}

/** Whether a file belongs to a model but not to a processor. */
export function isModelFile(path: string): boolean {
  return path === CONFIG_FILE || path === OPEN_CLIP_CONFIG || path === INDEX_FILE || path.endsWith('.safetensors');
}

/**
 * The files of a repository that a download needs. Of sharded weights, these are the files that the index names.
 * @throws Blip2Error `MISSING_FILE` if the repository has no usable model, or no file of a processor or tokenizer.
 */
export function neededFiles(
  tree: readonly RepositoryFile[],
  id: string,
  scope: DownloadScope,
  shards: ReadonlySet<string> | undefined,
): readonly RepositoryFile[] {
  const files = filesInScope(tree, scope, shards);
  const layout = { where: id, fix: 'Use a repository in the layout of Hugging Face Transformers' };
  if (scope === 'processor') {
    if (files.length > 0) return files;
    throw new Blip2Error('MISSING_FILE', 'The repository has no files of a processor or tokenizer', {
      expected: 'preprocessor_config.json or tokenizer.json',
      ...layout,
    });
  }
  const has = (name: string): boolean => files.some(({ path }) => path === name);
  if (has(ADAPTER_CONFIG) && has(ADAPTER_WEIGHTS)) return files;
  if (!has(CONFIG_FILE) && !has(OPEN_CLIP_CONFIG) && !has(ADAPTER_CONFIG))
    throw new Blip2Error('MISSING_FILE', 'The repository has no config.json', layout);
  const missing = shards && [...shards].find((name) => !files.some(({ path }) => path === name));
  if (missing !== undefined)
    throw new Blip2Error('MISSING_FILE', `${INDEX_FILE} names a file that the repository does not have`, {
      where: id,
      got: missing,
      fix: 'Use another revision, or tell the owner of the repository',
    });
  if (files.some(({ path }) => WEIGHT_FILES.includes(path))) return files;
  const pickled = tree.find(({ path }) => PICKLED_FILE.test(path));
  throw new Blip2Error(
    'MISSING_FILE',
    pickled
      ? 'The repository has only pickled weights, which can run code when loaded'
      : 'The repository has no weights',
    {
      where: id,
      expected: `${SINGLE_FILE} or ${INDEX_FILE}`,
      fix: pickled
        ? 'Use a revision with safetensors files (pull requests on the Hub are revisions: refs/pr/1)'
        : layout.fix,
      ...defined({ got: pickled?.path }),
    },
  );
}

/**
 * The weight files that `openCheckpoint` opens: the single file if it exists, else the index and the files that it
 * names, else the file of open_clip or the weights of an adapter.
 */
function weightFiles(
  tree: readonly RepositoryFile[],
  shards: ReadonlySet<string> | undefined,
): readonly RepositoryFile[] {
  const single = tree.find(({ path }) => path === SINGLE_FILE);
  if (single) return [single];
  const index = indexEntry(tree);
  if (index) return [index, ...tree.filter(({ path }) => shards?.has(path) === true)];
  const clip = tree.filter(({ path }) => path === OPEN_CLIP_FILE);
  return clip.length > 0 ? clip : tree.filter(({ path }) => path === ADAPTER_WEIGHTS);
}
