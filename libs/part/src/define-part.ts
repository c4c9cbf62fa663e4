import { type ConversionOptions, readModelVersion, type SaveOptions } from '@blip2/checkpoint';
import { readConfig, writePartConfig } from '@blip2/config';
import type { ResolveOptions } from '@blip2/hub';
import { defined, expectKnownOptions, type PrecisionChoice, type PrepareOptions } from '@blip2/interfaces';
import type { RecordedWeight } from '@blip2/onnx';
import { type LazySessions, lazySessions, type PartOptions } from '@blip2/runtime';

import { adaptPartWeights } from './adapters/adapt-weights.ts';
import { type AdapterOptions, partSource } from './adapters/part-source.ts';
import { placeAdapters } from './adapters/place-adapters.ts';
import { type Adapter, readAdapter } from './adapters/read-adapter.ts';
import { withFiniteOutputs } from './finite-outputs.ts';
import { expectPartOptions, LOAD_PART_OPTIONS, PART_OPTIONS, RANDOM_OPTIONS, SAVE_OPTIONS } from './known-options.ts';
import type { PartContext, PartDefinition, PartOfModelDefinition } from './part-definition.ts';
import { openPartWeights, type PartWeights } from './part-weights.ts';
import { convertPartWeights, type PartPlans, planPart, recordedWeights } from './plan-part.ts';
import { createRandomPartWeights, type InitializeTensor, type RandomWeightsOptions } from './random-weights.ts';
import { savePartWeights } from './save-part.ts';
import type { DisposablePart, StandalonePart } from './standalone-part.ts';

/** How a part is loaded: its sessions, its download, its adapters and its conversion to a precision. */
export type LoadPartOptions = PartOptions & ResolveOptions & ConversionOptions & AdapterOptions;

/** Loads and creates a part of a full model. */
export interface PartOfModel<C, M, W extends PartWeights = PartWeights, O extends object = object> {
  /** Loads the part from a folder, or from the Hugging Face Hub. Only its own weights are used. */
  fromPretrained(source: string, options?: LoadPartOptions & Partial<O>): Promise<M>;
  /** Creates the part from its configuration and open weights, which it disposes. */
  create(config: C, weights: W, options?: PartOptions & Partial<O>): M;
}

/** Loads and creates a part that also exists as a checkpoint of its own. */
export interface Part<C, M, W extends PartWeights = PartWeights, O extends object = object> extends PartOfModel<
  C,
  M,
  W,
  O
> {
  /** Creates the part with random weights, in a temporary file that is removed when the part is disposed. */
  fromConfig(config: C, options?: RandomWeightsOptions & PartOptions & Partial<O>): Promise<M>;
  /** What the files of converted weights hold at a precision. */
  plan(config: C, weights: Pick<PartWeights, 'store' | 'prefix'>, dtype?: PrecisionChoice): PartPlans;
  /** Paths of its tensors in checkpoints of full models. */
  readonly paths: readonly string[];
  /** Every tensor of the part's checkpoint, by name and shape. */
  tensors(config: C, prefix: string): readonly RecordedWeight[];
  initializer(config: C): InitializeTensor;
}

/** Defines a part that exists only in the checkpoint of a full model: adds loading, conversion and disposal. */
export function definePartOfModel<
  C,
  Own extends object,
  W extends PartWeights = PartWeights,
  O extends object = object,
>(definition: PartOfModelDefinition<C, Own, W, O>): PartOfModel<C, Own & DisposablePart, W, O> {
  const create = (
    config: C,
    weights: W,
    options: PartOptions & Partial<O> = {} as PartOptions & Partial<O>,
  ): Own & DisposablePart => {
    const context = { config, weights, options, sessions: openSessions(definition, options) };
    return {
      ...definition.create(context),
      ...exportable(definition, context),
      ...disposal(context.sessions, weights),
    };
  };
  return {
    create: withKnownOptions(definition, create),
    fromPretrained: (source, options) => load(definition, create, source, options),
  };
}

/**
 * Defines a part that also exists as a checkpoint of its own: adds loading, conversion, saving, random initialization,
 * preparation and disposal.
 */
export function definePart<
  C extends { readonly modelType: string },
  Own extends object,
  W extends PartWeights = PartWeights,
  O extends object = object,
>(definition: PartDefinition<C, Own, W, O>): Part<C, Own & StandalonePart<C>, W, O> {
  const { config: format, architectures, savedPath, savedExtras, tensors, initializer } = definition;
  const create = (
    config: C,
    weights: W,
    options: PartOptions & Partial<O> = {} as PartOptions & Partial<O>,
  ): Own & StandalonePart<C> => {
    const context = { config, weights, options, sessions: openSessions(definition, options) };
    return {
      ...definition.create(context),
      config,
      async prepare({ repeated = false }: PrepareOptions = {}): Promise<void> {
        await definition.prepare(context);
        if (repeated) await context.sessions.settle();
      },
      ...exportable(definition, context),
      async savePretrained(folder: string, saveOptions: SaveOptions = {}): Promise<void> {
        expectKnownOptions('savePretrained', saveOptions, SAVE_OPTIONS);
        const placed = { ...saveOptions, ...defined({ path: savedPath }) };
        const dtype = await savePartWeights(folder, weights, placed, savedExtras?.(weights));
        const modelType: C['modelType'] = config.modelType;
        await writePartConfig(
          folder,
          { ...format.toJson(config) },
          { modelType, architecture: architectures[modelType], dtype },
        );
      },
      ...disposal(context.sessions, weights),
    };
  };
  return {
    create: withKnownOptions(definition, create),
    fromPretrained: (source, options) => load(definition, create, source, options, pathsOf(definition)),
    async fromConfig(config, options = {} as RandomWeightsOptions & PartOptions & Partial<O>) {
      expectPartOptions(definition, 'fromConfig', options, [...RANDOM_OPTIONS, ...PART_OPTIONS]);
      const weights = await createRandomPartWeights(
        tensors(config, '', options),
        options.initializer ?? initializer(config),
        options,
      );
      // Converted weights are removed together with the random ones.
      return createFrom(definition, create, config, weights, options, { convertedDir: weights.store.folder });
    },
    plan: (config, weights, dtype) => planPart(definition.plan, config, weights, dtype),
    tensors: (config, prefix) => tensors(config, prefix, {}),
    initializer,
    paths: pathsOf(definition),
  };
}

/** Members of a `Part` and their types, to check those of untyped code. */
export const PART_MEMBERS: Readonly<Record<keyof Part<unknown, unknown>, 'function' | 'object'>> = {
  fromPretrained: 'function',
  create: 'function',
  fromConfig: 'function',
  plan: 'function',
  paths: 'object',
  tensors: 'function',
  initializer: 'function',
};

type CreatePart<C, M, W extends PartWeights, O extends object> = (
  config: C,
  weights: W,
  options: PartOptions & Partial<O>,
) => M;

function withKnownOptions<C, M, W extends PartWeights, O extends object>(
  definition: PartOfModelDefinition<C, object, W, O>,
  create: CreatePart<C, M, W, O>,
): PartOfModel<C, M, W, O>['create'] {
  return (config, weights, options = {} as PartOptions & Partial<O>) => {
    expectPartOptions(definition, 'create', options, PART_OPTIONS);
    return create(config, weights, options);
  };
}

function exportable<C, W extends PartWeights, O extends object>(
  { exportGraphs }: PartOfModelDefinition<C, object, W, O>,
  context: PartContext<C, W, O>,
): Pick<DisposablePart, 'exportGraphs'> {
  return exportGraphs ? { exportGraphs: () => exportGraphs(context) } : {};
}

function openSessions(
  { label, hasUncheckedOutputs = false }: { readonly label: string; readonly hasUncheckedOutputs?: boolean },
  options: PartOptions,
): LazySessions {
  return lazySessions(label, hasUncheckedOutputs ? options : withFiniteOutputs(label, options));
}

function disposal(sessions: LazySessions, weights: PartWeights): DisposablePart {
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
    await weights[Symbol.asyncDispose]();
  };
  return { dispose, [Symbol.asyncDispose]: dispose };
}

async function load<C, M, W extends PartWeights, O extends object>(
  definition: PartOfModelDefinition<C, object, W, O>,
  create: CreatePart<C, M, W, O>,
  source: string,
  options: LoadPartOptions & Partial<O> = {} as LoadPartOptions & Partial<O>,
  paths?: readonly string[],
): Promise<M> {
  expectPartOptions(definition, 'fromPretrained', options, LOAD_PART_OPTIONS);
  const { folder, adapters: folders } = await partSource(source, options);
  const version = await readModelVersion([folder, ...folders]);
  const config = definition.config.fromJson(await readConfig(folder), folder);
  const weights = await openPartWeights(folder, ...(paths ?? [pathOf(definition, config, options)]));
  const adapters: Adapter[] = [];
  try {
    for (const each of folders) adapters.push(await readAdapter(each));
    // The configuration belongs to these weights.
    await version.requireUnchanged('weights');
  } catch (error) {
    await weights[Symbol.asyncDispose]();
    throw error;
  }
  return createFrom(definition, create, config, weights, options, options, adapters);
}

function pathsOf({ path, pathInBlip2 }: { readonly path: string; readonly pathInBlip2?: string }): readonly string[] {
  return pathInBlip2 === undefined ? [path] : [path, pathInBlip2];
}

function pathOf<C, O extends object>(
  { path }: Pick<PartOfModelDefinition<C, object, PartWeights, O>, 'path'>,
  config: C,
  options: Partial<O>,
): string {
  return typeof path === 'string' ? path : path(config, options);
}

/** Creates a part from opened weights: checked, extended, converted and merged. Disposes them if that fails. */
async function createFrom<C, M, W extends PartWeights, O extends object>(
  definition: PartOfModelDefinition<C, object, W, O>,
  create: CreatePart<C, M, W, O>,
  config: C,
  opened: PartWeights,
  options: PartOptions & Partial<O>,
  conversion: ConversionOptions,
  adapters: readonly Adapter[] = [],
): Promise<M> {
  const { extend, plan, label, tied, siblings, fixed } = definition;
  try {
    const path = pathOf(definition, config, options);
    const { store, prefix } = opened;
    const place = { label, store, prefix, path, ...defined({ tied, siblings, fixed }) };
    const placed = adapters.length > 0 ? placeAdapters(place, adapters) : undefined;
    const replaced = placed ? { ...opened, store: placed.store } : opened;
    // Without `extend`, `W` is `PartWeights` itself.
    const weights = extend ? await extend(replaced, config, options) : (replaced as W);
    const plans = plan ? planPart(plan, config, weights, options.dtype, options) : UNCONVERTED;
    if (!placed) return create(config, await convertPartWeights(weights, plans, path, conversion), options);
    const recorded = plan ? recordedWeights(plan, config, weights, options) : [];
    const adapted = await adaptPartWeights(weights, placed, { plans, label: path, conversion, recorded });
    return create(config, adapted, options);
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

const UNCONVERTED: PartPlans = { prefill: undefined, decode: undefined };
