import { Blip2Config, readConfig } from '@blip2/config';
import { type ResolveOptions, resolveSource } from '@blip2/hub';
import type { OnnxModel, QueryFeatures, Session, Signature, Tensor } from '@blip2/interfaces';
import { openPartWeights, type PartWeights } from '@blip2/part';
import { lazySessions, type PartOptions } from '@blip2/runtime';

import type { ProjectionSize } from './language-projection-graph.ts';
import { buildMatchingHead, buildRetrievalProjection } from './retrieval-heads-graph.ts';

/** Vectors of length 1 in the space in which images and texts are compared. */
export type RetrievalEmbeds = Tensor<'float32', readonly [batch: number, positions: number, size: number]>;
/** Scores before softmax: column 0 "does not match", column 1 "matches". */
export type MatchingLogits = Tensor<'float32', readonly [pairs: number, classes: number]>;

/** The linear layer from Q-Former states to embeddings of length 1; images and texts have one each. */
export interface RetrievalProjection extends AsyncDisposable, ProjectionSize {
  /** `[batch, positions, inFeatures]` → `[batch, positions, outFeatures]`, every vector of length 1. */
  project(states: QueryFeatures): Promise<RetrievalEmbeds>;
  dispose(): Promise<void>;
}

/** The classifier of image-text matching. */
export interface MatchingHead extends AsyncDisposable {
  readonly inFeatures: number;
  /** States of the queries of each pair, `[pairs, queries, inFeatures]` → mean scores of the queries, `[pairs, 2]`. */
  classify(queries: QueryFeatures): Promise<MatchingLogits>;
  dispose(): Promise<void>;
}

export type RetrievalProjectionName = 'vision_projection' | 'text_projection';
/** Where the head lies in a checkpoint. */
const HEAD = 'itm_head';

interface LazyHead<S extends Signature> {
  session(): Promise<Session<S>>;
  dispose(): Promise<void>;
}

/** The one session of a head, and its end. */
function lazyHead<S extends Signature>(
  name: string,
  weights: PartWeights,
  options: PartOptions,
  build: () => OnnxModel<S>,
): LazyHead<S> {
  const sessions = lazySessions(name, options);
  return {
    session: () => sessions.get(name, build),
    async dispose() {
      await sessions[Symbol.asyncDispose]();
      await weights[Symbol.asyncDispose]();
    },
  };
}

export function createRetrievalProjection(
  size: ProjectionSize,
  weights: PartWeights,
  options: PartOptions = {},
): RetrievalProjection {
  const { session, dispose } = lazyHead('retrieval projection', weights, options, () =>
    buildRetrievalProjection(size, weights.store, weights.prefix),
  );
  return {
    ...size,
    project: async (states) => (await (await session()).run({ states })).embeds,
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

export function createMatchingHead(inFeatures: number, weights: PartWeights, options: PartOptions = {}): MatchingHead {
  const { session, dispose } = lazyHead('matching head', weights, options, () =>
    buildMatchingHead(inFeatures, weights.store, weights.prefix),
  );
  return {
    inFeatures,
    classify: async (states) => (await (await session()).run({ states })).logits,
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function loadProjection(
  source: string,
  name: RetrievalProjectionName,
  options: PartOptions & ResolveOptions = {},
): Promise<RetrievalProjection> {
  const folder = await resolveSource(source, options);
  const { qformerConfig, imageTextHiddenSize } = Blip2Config.fromJson(await readConfig(folder), folder);
  return createRetrievalProjection(
    { inFeatures: qformerConfig.hiddenSize, outFeatures: imageTextHiddenSize },
    await openPartWeights(folder, name),
    options,
  );
}

async function loadHead(source: string, options: PartOptions & ResolveOptions = {}): Promise<MatchingHead> {
  const folder = await resolveSource(source, options);
  const { qformerConfig } = Blip2Config.fromJson(await readConfig(folder), folder);
  return createMatchingHead(qformerConfig.hiddenSize, await openPartWeights(folder, HEAD), options);
}

export const RetrievalProjection: {
  /** Loads the projection of images or of texts from the folder of a whole retrieval model. */
  readonly fromPretrained: typeof loadProjection;
} = { fromPretrained: loadProjection };

export const MatchingHead: {
  /** Loads the head from the folder of a whole retrieval model. */
  readonly fromPretrained: typeof loadHead;
} = { fromPretrained: loadHead };
