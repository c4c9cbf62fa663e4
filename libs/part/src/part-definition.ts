import type { TensorSource } from '@blip2/checkpoint';
import type { ToJsonOptions } from '@blip2/config';
import type { RecordedWeight } from '@blip2/onnx';
import type { LazySessions } from '@blip2/runtime';

import type { TiedEmbeddings } from './adapters/tied-names.ts';
import type { PartWeights } from './part-weights.ts';
import type { WeightPlan } from './plan-part.ts';
import type { InitializeTensor } from './random-weights.ts';
import type { ExportedGraph } from './standalone-part.ts';

/** What a part is created from. */
export interface PartContext<C, W extends PartWeights, O extends object> {
  readonly config: C;
  /** Converted to the precision of the options. */
  readonly weights: W;
  readonly sessions: LazySessions;
  readonly options: Partial<O>;
}

/** A part that is loaded from the checkpoint of a full model. */
export interface PartOfModelDefinition<C, Own extends object, W extends PartWeights, O extends object> {
  /** What error messages call the part: `vision encoder`. */
  readonly label: string;
  /** Path of the part's tensors in the checkpoint of a full model; it may depend on the configuration. */
  readonly path: string | ((config: C, options: Partial<O>) => string);
  /** Names of its options in addition to those of every part. */
  readonly ownOptions?: readonly (keyof O & string)[];
  /** How the configuration is read, of a full model or of the part alone. */
  readonly config: { fromJson(json: unknown, where?: string): C };
  /** Checks opened weights, or adds what `create` needs in addition to them. */
  readonly extend?: (weights: PartWeights, config: C, options: Partial<O>) => Promise<W>;
  /** Callers check the results, so that they can also replace invalid ones. Default: the part checks them. */
  readonly hasUncheckedOutputs?: boolean;
  /** How weights are converted to a precision. Default: never. */
  readonly plan?: WeightPlan<C, O>;
  /** Token embeddings that may be tied to the head. Default: none. */
  readonly tied?: TiedEmbeddings;
  /** The graphs of the part as files for other runtimes. Default: the part cannot be exported. */
  readonly exportGraphs?: (context: PartContext<C, W, O>) => readonly ExportedGraph[];
  /** Names of tensors and modules that belong to the part, although they are not below its path. */
  readonly siblings?: readonly string[];
  /** Modules with weights that adapters cannot change, only replace. */
  readonly fixed?: RegExp;
  /** Creates the part, without the members that `definePart` adds. Nothing is loaded before its first use. */
  readonly create: (context: PartContext<C, W, O>) => Own;
}

/** A part that also exists as a checkpoint of its own. */
export interface PartDefinition<
  C extends { readonly modelType: string },
  Own extends object,
  W extends PartWeights,
  O extends object,
> extends PartOfModelDefinition<C, Own, W, O> {
  readonly path: string;
  /** Path of its tensors in the checkpoint of a BLIP-2 model, if it is another one: `vision_model`. */
  readonly pathInBlip2?: string;
  readonly config: { fromJson(json: unknown, where?: string): C; toJson(config: C, options?: ToJsonOptions): object };
  readonly plan: WeightPlan<C, O>;
  /** HF class of the part alone, by `model_type`. */
  readonly architectures: Readonly<Record<C['modelType'], string>>;
  /** Path of the tensors in a checkpoint of the part alone. Default: its root. */
  readonly savedPath?: string;
  /** Tensors that are saved in addition to those below `path`. */
  readonly savedExtras?: (weights: W) => readonly TensorSource[];
  /** Every tensor of the part's checkpoint. */
  readonly tensors: (config: C, prefix: string, options: Partial<O>) => readonly RecordedWeight[];
  readonly initializer: (config: C) => InitializeTensor;
  /** Creates the sessions of the main path. */
  readonly prepare: (context: PartContext<C, W, O>) => Promise<void>;
}
