import { openModelWeights } from '@blip2/checkpoint';
import { InstructBlipConfig, readConfig } from '@blip2/config';
import { Blip2Error, defined, type PrecisionChoice, type SpecialTokens } from '@blip2/interfaces';
import { languageFamily } from '@blip2/language';
import type { DisposablePart, ExportedGraph } from '@blip2/part';
import { loadVisionEncoder } from '@blip2/vision';

import { resolveModel, resolvePart } from '../adapters/resolved-model.ts';
import { configJson, type ModelConfig } from '../checkpoint/model-config.ts';
import { type ModelFolders, type ModelSources, sameFolder } from '../checkpoint/model-sources.ts';
import { type CheckpointParts, openCheckpointParts, openModelParts } from '../parts/checkpoint-parts.ts';
import { type LoadOptions, partOptions, type PartWithPrecision } from '../parts/load-options.ts';
import { RETRIEVAL_CONTENT } from '../retrieval/retrieval-content.ts';

/** A graph of a model, and the part whose precision it has. */
export interface ModelGraph extends ExportedGraph {
  /** Absent: the graph is never quantized. */
  readonly part?: PartWithPrecision;
}

/** What is exported of a model. */
export interface ExportedModel extends AsyncDisposable {
  readonly graphs: readonly ModelGraph[];
  /** The contents of `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The folders of the tokenizer and of the image settings. */
  readonly folders: Pick<ModelFolders, 'processor' | 'images'>;
  readonly facts: ModelFacts;
}

/** What decoding needs to know about a model in addition to its files. */
export interface ModelFacts {
  /** Number of query tokens, of a model with a Q-Former. */
  readonly numQueryTokens?: number;
  /** The token that image features replace; absent if they precede the text. */
  readonly imageTokenIndex?: number;
  readonly specialTokens?: SpecialTokens;
}

/** Tensors that only generation checkpoints have, and tensors that only retrieval checkpoints have. */
const LANGUAGE_MODEL = 'language_model.';
const MATCHING_HEAD = 'itm_head.';
/** Graphs that are never quantized. */
const UNQUANTIZED: readonly string[] = ['embed_tokens'];

/**
 * Opens what is exported of a model: all parts of BLIP-2 and InstructBLIP, for generation or retrieval, or a language
 * model or a vision encoder that is a checkpoint of its own.
 * @throws Blip2Error the codes of `fromPretrained`; `UNSUPPORTED_ARCHITECTURE` for a part that cannot be exported.
 */
export async function openExportedModel(source: string | ModelSources, options: LoadOptions): Promise<ExportedModel> {
  const { folders } = await resolveModel(source, options);
  const json = Object(await readConfig(folders.qformer)) as Record<string, unknown>;
  const modelType = json['model_type'];
  if (modelType === 'instructblip') return instruct(source, options);
  if (modelType === 'blip-2' && (await isRetrieval(folders.qformer))) return retrieval(source, options);
  return modelType === 'blip-2' || typeof source !== 'string'
    ? generation(source, options)
    : standalone(source, json, options);
}

async function isRetrieval(folder: string): Promise<boolean> {
  await using weights = await openModelWeights(folder, () => false);
  const names = [...weights.tensors.keys()];
  return !names.some((name) => name.startsWith(LANGUAGE_MODEL)) && names.some((name) => name.startsWith(MATCHING_HEAD));
}

async function generation(source: string | ModelSources, options: LoadOptions): Promise<ExportedModel> {
  const parts = await openCheckpointParts(source, options);
  return collect(parts, configJson(parts.config), parts.folders, async () =>
    withLanguage(parts, graphsOf(await parts.qformer(), 'qformer')),
  );
}

async function instruct(source: string | ModelSources, options: LoadOptions): Promise<ExportedModel> {
  const parts = await openModelParts(InstructBlipConfig, source, options);
  return collect(parts, configJson(parts.config), parts.folders, async () =>
    withLanguage(parts, graphsOf(await parts.textQFormer(), 'qformer')),
  );
}

async function withLanguage(parts: CheckpointParts<ModelConfig>, qformer: readonly ModelGraph[]): Promise<Contents> {
  const { numQueryTokens, imageTokenIndex } = parts.config;
  const language = await parts.language();
  return {
    graphs: [
      ...graphsOf(await parts.vision(), 'vision'),
      ...qformer,
      ...graphsOf(await parts.projection()),
      ...graphsOf(language, 'language'),
    ],
    facts: { numQueryTokens, ...defined({ imageTokenIndex }), specialTokens: language.specialTokens },
  };
}

async function retrieval(source: string | ModelSources, options: LoadOptions): Promise<ExportedModel> {
  const parts = await openCheckpointParts(source, options);
  const config = configJson(parts.config, undefined, RETRIEVAL_CONTENT.architecture);
  return collect(parts, config, parts.folders, async () => ({
    graphs: [
      ...graphsOf(await parts.vision(), 'vision'),
      ...graphsOf(await parts.textQFormer(), 'qformer'),
      ...graphsOf(await parts.visionProjection()),
      ...graphsOf(await parts.textProjection()),
      ...graphsOf(await parts.matchingHead()),
    ],
    facts: { numQueryTokens: parts.config.numQueryTokens },
  }));
}

/** A language model or a vision encoder, by its `model_type`. */
async function standalone(
  source: string,
  config: Readonly<Record<string, unknown>>,
  options: LoadOptions,
): Promise<ExportedModel> {
  const { folder, adapters } = await resolvePart(source, options);
  const optionsOf = partOptions(options);
  const family = attempt(() => languageFamily(String(config['model_type'])));
  if (family) {
    const part = await family.part.fromPretrained(folder, { ...optionsOf('language'), adapters });
    const { specialTokens } = part;
    return collect(part, config, sameFolder(folder), async () => ({
      graphs: graphsOf(part, 'language'),
      facts: { specialTokens },
    }));
  }
  const part = await loadVisionEncoder(folder, { ...optionsOf('vision'), adapters });
  return collect(part, config, sameFolder(folder), async () => ({ graphs: graphsOf(part, 'vision'), facts: {} }));
}

function attempt<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof Blip2Error) return undefined;
    throw error;
  }
}

type Contents = Pick<ExportedModel, 'graphs' | 'facts'>;

async function collect(
  parts: AsyncDisposable,
  config: Readonly<Record<string, unknown>>,
  folders: ExportedModel['folders'],
  contents: () => Promise<Contents>,
): Promise<ExportedModel> {
  try {
    return { ...(await contents()), config, folders, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}

function graphsOf(part: Pick<DisposablePart, 'exportGraphs'>, precision?: PartWithPrecision): ModelGraph[] {
  if (!part.exportGraphs)
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'A part of this model cannot be exported', {
      where: precision ?? 'part',
      expected: 'a part that declares its graphs',
      got: 'none',
    });
  return part
    .exportGraphs()
    .map((graph) => ({ ...graph, ...(precision && !UNQUANTIZED.includes(graph.name) && { part: precision }) }));
}

/** The precision of a graph. */
export function precisionOf({ part }: ModelGraph, dtype: LoadOptions['dtype']): PrecisionChoice {
  if (part === undefined || dtype === undefined) return 'fp32';
  return typeof dtype === 'string' ? dtype : (dtype[part] ?? 'fp32');
}
