import { INDEX_FILE, PICKLED_FILE, SHARD_FILE, SINGLE_FILE } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import type { RepositoryFile } from './repository-files.ts';

/** What of a repository is wanted: all that a model needs, or what its processor and tokenizers are made of. */
export type Wanted = 'model' | 'processor';

const CONFIG_FILE = 'config.json';
/**
 * Processor and tokenizers, those files too that only Python reads. Names only, so that none leads out of its folder.
 */
const processorFiles: readonly string[] = [
  'preprocessor_config.json',
  'processor_config.json',
  'chat_template.json',
  'chat_template.jinja',
  ...tokenizerFiles(''),
  ...tokenizerFiles('qformer_tokenizer/'),
];
/** Paths of configuration, processor and tokenizers. */
export const SMALL_FILES: Readonly<Record<Wanted, ReadonlySet<string>>> = {
  processor: new Set(processorFiles),
  model: new Set([CONFIG_FILE, 'generation_config.json', ...processorFiles]),
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
 * What of these files is wanted, whether or not it suffices. Small files first: what is wrong with a model shows before
 * its weights are on their way.
 */
export function wantedFiles(tree: readonly RepositoryFile[], wanted: Wanted): readonly RepositoryFile[] {
  const small = tree.filter(({ path }) => SMALL_FILES[wanted].has(path));
  return wanted === 'model' ? [...small, ...weightFiles(tree)] : small;
}

/** Whether a file is one that a model has and a processor alone has not. */
export function isModelFile(path: string): boolean {
  return path === CONFIG_FILE || isWeightFile(path);
}

/**
 * The wanted files of a repository. @throws Blip2Error `MISSING_FILE` if it has no usable model, or nothing of a
 * processor.
 */
export function neededFiles(tree: readonly RepositoryFile[], id: string, wanted: Wanted): readonly RepositoryFile[] {
  const files = wantedFiles(tree, wanted);
  const layout = { where: id, fix: 'Give a repository of a model in the layout of transformers' };
  if (wanted === 'processor') {
    if (files.length > 0) return files;
    throw new Blip2Error('MISSING_FILE', 'The repository has no files of a processor or a tokenizer', {
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
      ? 'The repository has weights only in a format that can run code when it is read'
      : 'The repository has no weights',
    {
      where: id,
      expected: `${SINGLE_FILE} or ${INDEX_FILE}`,
      ...(pickled && {
        got: pickled.path,
        fix: 'Give a revision with safetensors files (pull requests of the hub are revisions: refs/pr/1)',
      }),
    },
  );
}

function isWeightFile(path: string): boolean {
  return path === SINGLE_FILE || path === INDEX_FILE || SHARD_FILE.test(path);
}

/** What `openCheckpoint` would open: the single file where there is one, else the shards and their index. */
function weightFiles(tree: readonly RepositoryFile[]): readonly RepositoryFile[] {
  const single = tree.filter(({ path }) => path === SINGLE_FILE);
  if (single.length > 0) return single;
  const index = tree.filter(({ path }) => path === INDEX_FILE);
  return index.length > 0 ? [...index, ...tree.filter(({ path }) => SHARD_FILE.test(path))] : [];
}
