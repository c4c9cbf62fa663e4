/** A model of the server. */
export interface ServerModel {
  readonly id: string;
  /** What it supports. Absent if the server does not know it yet. */
  readonly capabilities?: readonly Capability[];
}

export type Capability = 'completion' | 'vision' | 'rank' | 'embedding' | 'match' | 'heatmap';

/** Options of generation, under the names of the API. Absent: the default of the server. */
export interface GenerationFields {
  readonly max_tokens?: number;
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly repetition_penalty?: number;
  readonly seed?: number;
}

/** A question and its answer. */
export interface ChatTurn {
  readonly question: string;
  readonly answer: string;
}

/** What a text is generated from. */
export interface TextRequest {
  readonly model: string | undefined;
  readonly image: Blob;
  /** Absent: the image is described. */
  readonly question?: string;
  readonly history?: readonly ChatTurn[];
  readonly options: GenerationFields;
}

/** A text that has ended. */
export interface FinishedText {
  readonly finishReason: string;
  readonly promptTokens: number;
  readonly newTokens: number;
}

/** A text and its probability. */
export interface ScoredText {
  readonly text: string;
  /** In [0, 1]. */
  readonly probability: number;
}

export interface HeatmapRequest {
  readonly model: string | undefined;
  readonly image: Blob;
  readonly text: string;
  readonly question?: string;
  readonly mode: 'hide' | 'keep' | 'both';
  readonly cells: number;
}

export interface Heatmap {
  readonly rows: number;
  readonly columns: number;
  /** Row by row from the top left, in the unit of the score. */
  readonly values: readonly number[];
  readonly score: number;
  readonly kind: 'itm' | 'itc' | 'writing';
}
