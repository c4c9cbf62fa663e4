import { Blip2Error } from '@blip2/interfaces';
import { indexFile, shardFile, singleFile } from '../open-checkpoint.ts';
import type { RepositoryFile } from './repository.ts';

/** Configuration, processor and tokenizers: whatever of these a repository has. Names only, so that none leads out of its folder. */
const smallFiles: ReadonlySet<string> = new Set([
  'config.json', 'generation_config.json', 'preprocessor_config.json', 'processor_config.json', 'chat_template.json', 'chat_template.jinja',
  ...tokenizerFiles(''), ...tokenizerFiles('qformer_tokenizer/'),
]);

function tokenizerFiles(folder: string): string[] {
  return ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json', 'vocab.json', 'vocab.txt', 'merges.txt'].map((name) => folder + name);
}

/** Small files first: what is wrong with a model shows before its weights are on their way. */
export function neededFiles(tree: readonly RepositoryFile[], id: string): readonly RepositoryFile[] {
  const small = tree.filter(({ path }) => smallFiles.has(path));
  const weights = weightFiles(tree);
  if (!small.some(({ path }) => path === 'config.json')) {
    throw new Blip2Error('MISSING_FILE', 'The repository has no config.json', { where: id, fix: 'Give a repository of a model in the layout of transformers' });
  }
  if (weights.length > 0) return [...small, ...weights];
  const pickled = tree.find(({ path }) => /\.(?:bin|pt|pth|ckpt|msgpack|h5)$/.test(path));
  throw new Blip2Error('MISSING_FILE', pickled ? 'The repository has weights only in a format that can run code when it is read' : 'The repository has no weights', {
    where: id, expected: `${singleFile} or ${indexFile}`, ...(pickled && { got: pickled.path, fix: 'Give a revision with safetensors files (pull requests of the hub are revisions: refs/pr/1)' }),
  });
}

/** What `openCheckpoint` would open: the single file where there is one, else the shards and their index. */
function weightFiles(tree: readonly RepositoryFile[]): readonly RepositoryFile[] {
  const single = tree.filter(({ path }) => path === singleFile);
  if (single.length > 0) return single;
  const index = tree.filter(({ path }) => path === indexFile);
  return index.length > 0 ? [...index, ...tree.filter(({ path }) => shardFile.test(path))] : [];
}
