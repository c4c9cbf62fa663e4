import { INDEX_FILE, PICKLED_FILE, SHARD_FILE, SINGLE_FILE } from '@blip2/files';
import { Blip2Error, defined } from '@blip2/interfaces';

import type { RepositoryFile } from './repository-files.ts';

/** Which files of a repository to download: those of the whole model, or those of its processor and tokenizers. */
export type DownloadScope = 'model' | 'processor';

const CONFIG_FILE = 'config.json';
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
  model: new Set([CONFIG_FILE, 'generation_config.json', ...PROCESSOR_FILES]),
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
 * before weights are downloaded.
 */
export function filesInScope(tree: readonly RepositoryFile[], scope: DownloadScope): readonly RepositoryFile[] {
  const small = tree.filter(({ path }) => SMALL_FILES[scope].has(path));
  return scope === 'model' ? [...small, ...weightFiles(tree)] : small;
}

/** Whether a file belongs to a model but not to a processor. */
export function isModelFile(path: string): boolean {
  return path === CONFIG_FILE || isWeightFile(path);
}

/**
 * The files of a repository that a download needs.
 * @throws Blip2Error `MISSING_FILE` if the repository has no usable model, or no file of a processor or tokenizer.
 */
export function neededFiles(
  tree: readonly RepositoryFile[],
  id: string,
  scope: DownloadScope,
): readonly RepositoryFile[] {
  const files = filesInScope(tree, scope);
  const layout = { where: id, fix: 'Use a repository in the layout of Hugging Face Transformers' };
  if (scope === 'processor') {
    if (files.length > 0) return files;
    throw new Blip2Error('MISSING_FILE', 'The repository has no files of a processor or tokenizer', {
      expected: 'preprocessor_config.json or tokenizer.json',
      ...layout,
    });
  }
  if (!files.some(({ path }) => path === CONFIG_FILE))
    throw new Blip2Error('MISSING_FILE', 'The repository has no config.json', layout);
  if (files.some(({ path }) => isWeightFile(path))) return files;
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

function isWeightFile(path: string): boolean {
  return path === SINGLE_FILE || path === INDEX_FILE || SHARD_FILE.test(path);
}

/** The weight files that `openCheckpoint` opens: the single file if it exists, else the shards and their index. */
function weightFiles(tree: readonly RepositoryFile[]): readonly RepositoryFile[] {
  const single = tree.filter(({ path }) => path === SINGLE_FILE);
  if (single.length > 0) return single;
  const index = tree.filter(({ path }) => path === INDEX_FILE);
  return index.length > 0 ? [...index, ...tree.filter(({ path }) => SHARD_FILE.test(path))] : [];
}
