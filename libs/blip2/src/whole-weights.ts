import { openModelWeights } from '@blip2/checkpoint';
import { Blip2Error, type StoredTensor, type WeightStore } from '@blip2/interfaces';
import { languageFamilies } from '@blip2/language';
import type { RecordedWeight } from '@blip2/onnx';
import { openPartWeights, overlayPartWeights, type PartWeights } from '@blip2/part';

import type { ModelFolders } from './model-sources.ts';

/** All tensors of a model under the names of a whole checkpoint, wherever they lie. */
export interface WholeWeights extends Pick<WeightStore, 'tensors'>, AsyncDisposable {}

const VISION = 'vision_model';
const LANGUAGE = 'language_model';
/** What is a model's; LAVIS also stores what only training needs. */
const MODEL_PATHS =
  /^(?:query_tokens|itm_head|(?:vision_model|qformer|embeddings|language_model|language_projection|vision_projection|text_projection)(?=\.))/;

export async function openWholeWeights({ qformer, vision, language, finalNorm }: ModelFolders): Promise<WholeWeights> {
  const main = await openModelWeights(qformer);
  const parts: PartWeights[] = [];
  const tensors = new Map(
    [...main.tensors].filter(([name]) => main.origin === 'huggingface' || MODEL_PATHS.test(name)),
  );
  const replace = (path: string, part: PartWeights): void => {
    parts.push(part);
    for (const name of main.tensors.keys()) if (name.startsWith(`${path}.`)) tensors.delete(name);
    for (const [name, tensor] of partTensors(path, part)) tensors.set(name, tensor);
  };
  if (vision !== qformer) {
    const own = await openPartWeights(vision, VISION);
    replace(
      VISION,
      finalNorm === undefined
        ? own
        : overlayPartWeights(own, await openPartWeights(finalNorm, VISION), (name) =>
            name.startsWith('post_layernorm.'),
          ),
    );
  }
  if (language !== qformer) replace(LANGUAGE, await openPartWeights(language, LANGUAGE));
  return {
    tensors,
    async [Symbol.asyncDispose]() {
      for (const part of [main, ...parts]) await part[Symbol.asyncDispose]();
    },
  };
}

function* partTensors(path: string, { store, prefix }: PartWeights): Generator<readonly [string, StoredTensor]> {
  const start = prefix === '' ? '' : `${prefix}.`;
  for (const tensor of store.tensors.values()) {
    if (!tensor.name.startsWith(start)) continue;
    const name = `${path}.${tensor.name.slice(start.length)}`;
    yield [name, { ...tensor, name }];
  }
}

const HEAD = `${LANGUAGE}.lm_head.weight`;

/** The names of the token embedding in each family of language models. */
const EMBEDDINGS: readonly { readonly names: readonly string[]; readonly replacesHead: boolean }[] =
  languageFamilies().map(({ tokenEmbeddings, embeddingReplacesHead: replacesHead = false }) => ({
    names: tokenEmbeddings.map((name) => `${LANGUAGE}.${name}.weight`),
    replacesHead,
  }));
/** Names that may replace an absent head. */
const HEAD_REPLACEMENTS: readonly string[] = EMBEDDINGS.flatMap(({ names, replacesHead }) =>
  replacesHead ? names : [],
);

/** Names under which a tensor may be stored instead of its own. */
function standIns(name: string, expected: ReadonlySet<string>): readonly string[] {
  if (name === HEAD) return HEAD_REPLACEMENTS;
  const { names } = EMBEDDINGS.find((embedding) => embedding.names.includes(name)) ?? { names: [] };
  return names[0] === name && !expected.has(HEAD) ? [...names, HEAD] : names;
}

/** The names of `expected` that are not there, in order. */
export function missingTensors(
  expected: readonly Pick<RecordedWeight, 'name'>[],
  tensors: ReadonlyMap<string, unknown>,
): string[] {
  const names = new Set(expected.map(({ name }) => name));
  const isThere = (name: string): boolean =>
    tensors.has(name) || standIns(name, names).some((other) => tensors.has(other));
  return [...names].filter((name) => !isThere(name));
}

/** Tied tensors, which a checkpoint may hold more than once. */
const COPIES: ReadonlySet<string> = new Set([HEAD, ...HEAD_REPLACEMENTS]);

/** The names that a model does not read, in order; tied tensors that are there once more do not count. */
export function unexpectedTensors(
  expected: readonly Pick<RecordedWeight, 'name'>[],
  tensors: ReadonlyMap<string, unknown>,
): string[] {
  const known = new Set(expected.map(({ name }) => name));
  return [...tensors.keys()].filter((name) => !known.has(name) && !COPIES.has(name));
}

/** Names that an error lists: more tell nobody more. */
const LISTED = 10;

/** The first names, and how many others there are. */
export function listNames(names: readonly string[]): string {
  return `${names.slice(0, LISTED).join(', ')}${names.length > LISTED ? ` and ${names.length - LISTED} more` : ''}`;
}

/** @throws Blip2Error `MISSING_WEIGHT` with the first names if any tensor of `expected` is missing. */
export async function expectComplete(folders: ModelFolders, expected: readonly RecordedWeight[]): Promise<void> {
  await using weights = await openWholeWeights(folders);
  const missing = missingTensors(expected, weights.tensors);
  if (missing.length === 0) return;
  throw new Blip2Error('MISSING_WEIGHT', `The checkpoint lacks ${missing.length} of ${expected.length} tensors`, {
    where: [...new Set([folders.qformer, folders.vision, folders.language])].join(', '),
    expected: listNames(missing),
    fix: 'Use the config.json that belongs to these weights; give parts that the checkpoint does not hold as sources of their own',
  });
}
