import { type ModelWeights, openModelWeights } from '@blip2/checkpoint';
import { readConfig, VisionConfig } from '@blip2/config';
import { Blip2Error, type StoredTensor, type WeightStore } from '@blip2/interfaces';
import { languageFamilies } from '@blip2/language';
import type { RecordedWeight } from '@blip2/onnx';
import { openPartWeights, overlayPartWeights, type PartWeights, partWeights, pathStart } from '@blip2/part';
import { visionFamily } from '@blip2/vision';

import type { ModelFolders } from './model-sources.ts';

/** All tensors of a model from one or several checkpoints, under their names in a whole checkpoint. */
export interface WholeWeights extends WeightStore, Pick<ModelWeights, 'origin' | 'files'>, AsyncDisposable {}

/** Paths of the encoder and of the language model in a whole model. */
export const VISION = 'vision_model';
export const LANGUAGE = 'language_model';
const PARTS = 'vision_model|qformer|embeddings|language_model|language_projection|vision_projection|text_projection';
/** Tensors of a model. LAVIS also stores tensors that only training needs. */
const MODEL_PATHS = new RegExp(`^(?:query_tokens|itm_head|(?:${PARTS})(?=\\.))`);

/** Opens the tensors of a model. */
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
    const own = await openPartWeights(vision, ...(await visionPaths(vision)), VISION);
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
  const files = new Set(main.files);
  for (const { file } of tensors.values()) files.add(file);
  return {
    origin: main.origin,
    folder: main.folder,
    files: [...files],
    tensors,
    async [Symbol.asyncDispose]() {
      for (const part of [main, ...parts]) await part[Symbol.asyncDispose]();
    },
  };
}

/** The tensors of a part in a folder of its own, under the names that they have in a whole model. */
export interface PartOfWhole extends AsyncDisposable {
  readonly weights: WholeWeights;
  /** The path of the part in its own checkpoint; `''` if it is at the root. */
  readonly path: string;
  /** Names of the other tensors of the checkpoint. */
  readonly others: readonly string[];
}

/** Opens the tensors of a part that are below one of `paths` in a checkpoint of their own. */
export async function openPartOfWhole(folder: string, path: string, paths: readonly string[]): Promise<PartOfWhole> {
  const opened = await openModelWeights(folder);
  const part = partWeights(opened, ...paths, path);
  const tensors = new Map(partTensors(path, part));
  const start = pathStart(part.prefix);
  const dispose = async (): Promise<void> => opened[Symbol.asyncDispose]();
  return {
    path: part.prefix,
    others: [...opened.tensors.keys()].filter((name) => !name.startsWith(start)),
    weights: {
      origin: opened.origin,
      folder: opened.folder,
      files: opened.files,
      tensors,
      [Symbol.asyncDispose]: dispose,
    },
    [Symbol.asyncDispose]: dispose,
  };
}

function* partTensors(path: string, { store, prefix }: PartWeights): Generator<readonly [string, StoredTensor]> {
  const start = pathStart(prefix);
  for (const tensor of store.tensors.values()) {
    if (!tensor.name.startsWith(start)) continue;
    const name = `${path}.${tensor.name.slice(start.length)}`;
    yield [name, { ...tensor, name }];
  }
}

/** Paths of a vision encoder in checkpoints of its family. */
async function visionPaths(folder: string): Promise<readonly string[]> {
  return visionFamily(VisionConfig.fromJson(await readConfig(folder), folder).modelType).part.paths;
}

const HEAD = `${LANGUAGE}.lm_head.weight`;

interface EmbeddingNames {
  readonly names: readonly string[];
  readonly replacesHead: boolean;
}

/** The names of the token embedding in each family of language models. */
function embeddingNames(): readonly EmbeddingNames[] {
  return languageFamilies().map(({ tokenEmbeddings, embeddingReplacesHead: replacesHead = false }) => ({
    names: tokenEmbeddings.map((name) => `${LANGUAGE}.${name}.weight`),
    replacesHead,
  }));
}

/** Whether a name in the checkpoint of a whole model is that of a token embedding, of any family. */
export function isTokenEmbedding(name: string): boolean {
  return embeddingNames().some(({ names }) => names.includes(name));
}

/** Names that may replace an absent head. */
function headReplacements(): readonly string[] {
  return embeddingNames().flatMap(({ names, replacesHead }) => (replacesHead ? names : []));
}

/** Names under which a tensor may be stored instead of its own. */
function standIns(name: string, expected: ReadonlySet<string>): readonly string[] {
  if (name === HEAD) return headReplacements();
  const { names } = embeddingNames().find((embedding) => embedding.names.includes(name)) ?? { names: [] };
  return names[0] === name && !expected.has(HEAD) ? [...names, HEAD] : names;
}

/**
 * Where a checkpoint stores a tensor. Checkpoints of some families, such as the first ones of GPT-2, lack the path of
 * the body, `transformer.`, in all names; that of the token embedding shows it.
 */
function storedNames(tensors: ReadonlyMap<string, unknown>): (name: string) => string {
  const bodies = embeddingNames().flatMap(({ names: [name = '', ...others] }) =>
    others.flatMap((other) => {
      const rest = other.slice(LANGUAGE.length);
      return name.endsWith(rest) && tensors.has(other) && !tensors.has(name) ? [name.slice(0, -rest.length)] : [];
    }),
  );
  return (name) => {
    const body = bodies.find((each) => name.startsWith(`${each}.`));
    return body === undefined ? name : `${LANGUAGE}${name.slice(body.length)}`;
  };
}

/** The names of `expected` that are missing, in order, except those of optional tensors. */
export function missingTensors(
  expected: readonly Pick<RecordedWeight, 'name' | 'optional'>[],
  tensors: ReadonlyMap<string, unknown>,
): string[] {
  const names = new Set(expected.filter(({ optional }) => !optional).map(({ name }) => name));
  const stored = storedNames(tensors);
  const exists = (name: string): boolean =>
    tensors.has(name) || tensors.has(stored(name)) || standIns(name, names).some((other) => tensors.has(other));
  return [...names].filter((name) => !exists(name));
}

/** The names of tensors that a model does not use, in order, except copies of tied tensors. */
export function unexpectedTensors(
  expected: readonly Pick<RecordedWeight, 'name'>[],
  tensors: ReadonlyMap<string, unknown>,
): string[] {
  const stored = storedNames(tensors);
  const known = new Set(expected.flatMap(({ name }) => [name, stored(name)]));
  // Tied tensors, which a checkpoint may hold more than once.
  const copies = new Set([HEAD, ...headReplacements()]);
  return [...tensors.keys()].filter((name) => !known.has(name) && !copies.has(name));
}

/** Maximum number of names listed in an error. */
const MAX_LISTED = 10;

/** The first names, and the number of the others. */
export function listNames(names: readonly string[]): string {
  const others = names.length - MAX_LISTED;
  return `${names.slice(0, MAX_LISTED).join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
}

/**
 * Checks that a model has all tensors of `expected`.
 * @throws Blip2Error `MISSING_WEIGHT` with the names of the first missing ones.
 */
export async function expectComplete(folders: ModelFolders, expected: readonly RecordedWeight[]): Promise<void> {
  await using weights = await openWholeWeights(folders);
  const missing = missingTensors(expected, weights.tensors);
  expectNoneMissing(missing, expected, [folders.qformer, folders.vision, folders.language]);
}

/** @throws Blip2Error `MISSING_WEIGHT` with the first of the missing names. */
export function expectNoneMissing(
  missing: readonly string[],
  expected: readonly RecordedWeight[],
  folders: readonly string[],
): void {
  if (missing.length === 0) return;
  throw new Blip2Error('MISSING_WEIGHT', `The checkpoint lacks ${missing.length} of ${expected.length} tensors`, {
    where: [...new Set(folders)].join(', '),
    expected: listNames(missing),
    fix: 'Use the config.json of these weights, or pass a source per part for parts that the checkpoint lacks',
  });
}
