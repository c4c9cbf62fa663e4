import { Blip2Config } from '@blip2/config';
import { expectTensor, type QueryFeatures, type Tensor } from '@blip2/interfaces';
import {
  definePartOfModel,
  type DisposablePart,
  type LoadPartOptions,
  type PartOfModel,
  type PartWeights,
} from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

import type { ProjectionSize } from './language-projection-graph.ts';
import { buildMatchingHead, buildRetrievalProjection } from './retrieval-heads-graph.ts';

/** Unit vectors in the space in which images and texts are compared. */
export type RetrievalEmbeds = Tensor<'float32', readonly [batch: number, positions: number, size: number]>;
/** Logits: column 0 "does not match", column 1 "matches". */
export type MatchingLogits = Tensor<'float32', readonly [pairs: number, classes: number]>;

/** The linear layer from Q-Former states to unit embeddings. Images and texts have one each. */
export interface RetrievalProjection extends DisposablePart, ProjectionSize {
  /** `[batch, positions, inFeatures]` → `[batch, positions, outFeatures]`, every vector of length 1. */
  project(states: QueryFeatures): Promise<RetrievalEmbeds>;
}

/** The classifier of image-text matching. */
export interface MatchingHead extends DisposablePart {
  readonly inFeatures: number;
  /** Query states of each pair, `[pairs, queries, inFeatures]` → logits averaged over the queries, `[pairs, 2]`. */
  classify(queries: QueryFeatures): Promise<MatchingLogits>;
}

const STATE_AXES: readonly string[] = ['batch', 'positions', 'hidden'];

export type RetrievalProjectionName = 'vision_projection' | 'text_projection';

function projectionAt(path: RetrievalProjectionName): PartOfModel<ProjectionSize, RetrievalProjection> {
  return definePartOfModel({
    label: 'retrieval head',
    path,
    config: {
      fromJson(json, where): ProjectionSize {
        const { qformerConfig, imageTextHiddenSize } = Blip2Config.fromJson(json, where);
        return { inFeatures: qformerConfig.hiddenSize, outFeatures: imageTextHiddenSize };
      },
    },
    exportGraphs: ({ config, weights: { store, prefix } }) => [
      { name: path, model: buildRetrievalProjection(config, store, prefix) },
    ],
    create: ({ config, sessions, weights: { store, prefix } }) => ({
      ...config,
      async project(states) {
        expectTensor('states', states, STATE_AXES);
        const session = await sessions.get('projection', () => buildRetrievalProjection(config, store, prefix));
        return (await session.run({ states })).embeds;
      },
    }),
  });
}

const PROJECTIONS: Readonly<Record<RetrievalProjectionName, PartOfModel<ProjectionSize, RetrievalProjection>>> = {
  vision_projection: projectionAt('vision_projection'),
  text_projection: projectionAt('text_projection'),
};

export interface RetrievalProjections {
  /** Loads the projection of images or of texts from the checkpoint of a full retrieval model. */
  fromPretrained(
    source: string,
    name: RetrievalProjectionName,
    options?: LoadPartOptions,
  ): Promise<RetrievalProjection>;
}

export const RetrievalProjection: RetrievalProjections = {
  fromPretrained: (source, name, options) => PROJECTIONS[name].fromPretrained(source, options),
};

/** Loads the head from the checkpoint of a full retrieval model. */
export const MatchingHead: PartOfModel<Pick<ProjectionSize, 'inFeatures'>, MatchingHead> = definePartOfModel({
  label: 'retrieval head',
  path: 'itm_head',
  config: {
    fromJson: (json, where): Pick<ProjectionSize, 'inFeatures'> => ({
      inFeatures: Blip2Config.fromJson(json, where).qformerConfig.hiddenSize,
    }),
  },
  exportGraphs: ({ config: { inFeatures }, weights: { store, prefix } }) => [
    { name: 'itm_head', model: buildMatchingHead(inFeatures, store, prefix) },
  ],
  create: ({ config: { inFeatures }, sessions, weights: { store, prefix } }) => ({
    inFeatures,
    async classify(states) {
      expectTensor('states', states, STATE_AXES);
      const session = await sessions.get('head', () => buildMatchingHead(inFeatures, store, prefix));
      return (await session.run({ states })).logits;
    },
  }),
});

/** Creates a projection from its size and weights. Nothing is loaded before its first use. */
export function createRetrievalProjection(
  size: ProjectionSize,
  weights: PartWeights,
  options?: PartOptions,
): RetrievalProjection {
  return PROJECTIONS.vision_projection.create(size, weights, options);
}

/** Creates the head from its input width and weights. Nothing is loaded before its first use. */
export function createMatchingHead(inFeatures: number, weights: PartWeights, options?: PartOptions): MatchingHead {
  return MatchingHead.create({ inFeatures }, weights, options);
}
