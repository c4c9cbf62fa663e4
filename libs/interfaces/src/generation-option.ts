/**
 * Value type of an option. `id`: a token id. `ids`: a list of them. `idOrIds`: either. `idLists`: a list of lists.
 * `biases`: a list of `[ids, bias]`. `decay`: `[start, factor]`. `strings`: one or several. `functions`, `streamer` and
 * `signal` are objects, so they can be passed in code only.
 */
export type GenerationOptionKind =
  | 'integer'
  | 'number'
  | 'boolean'
  | 'booleanOrNever'
  | 'id'
  | 'ids'
  | 'idOrIds'
  | 'idLists'
  | 'biases'
  | 'decay'
  | 'strings'
  | 'functions'
  | 'streamer'
  | 'signal';

/** Type, bounds, default and description of a generation option. */
export interface GenerationOption {
  readonly kind: GenerationOptionKind;
  /** Inclusive lower bound. */
  readonly min?: number;
  /** Exclusive lower bound. */
  readonly above?: number;
  /** Inclusive upper bound. */
  readonly max?: number;
  /** Value used if the option is absent. Absent itself if that depends on the model or the option is then off. */
  readonly default?: number | boolean;
  /**
   * The option has no effect unless this one is set. Setting it alone is not an error, because presets do. Source: the
   * warnings of HF's `GenerationConfig.validate`.
   */
  readonly needs?: 'doSample' | 'numBeams';
  /** Shown in command-line help; equal to the doc comment in `GenerationOptions`. */
  readonly description: string;
}
