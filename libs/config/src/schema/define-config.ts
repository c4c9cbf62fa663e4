import { type FieldTable, readFields, requireKnownFields, type ToJsonOptions, writeFields } from './field-table.ts';
import { frozenObject, type JsonObject, ownValue } from './json-values.ts';
import { INSTRUCTBLIP_MODEL_TYPE, isFullModel, type PartKey, requireModelType, subConfig } from './sub-config.ts';

/** What every configuration of a part has. */
export interface PartConfig {
  readonly modelType: string;
  /** The JSON that it was read from; `toJson` keeps unknown keys. */
  readonly json: JsonObject;
}

/** Reads, writes and creates configurations of one kind. */
export interface ConfigFormat<C> {
  /**
   * Reads a configuration, or its part of the configuration of a full model. Absent fields have the defaults of HF,
   * unknown ones are kept for `toJson`.
   * @throws Blip2Error `INVALID_CONFIG` (with the field's name) or `UNSUPPORTED_ARCHITECTURE` (another `model_type`).
   */
  fromJson(json: unknown, where?: string): C;
  /** The JSON that was read, with changed fields written. Fields with default values stay absent unless `full`. */
  toJson(config: C, options?: ToJsonOptions): Record<string, unknown>;
  /** The defaults of HF, or those of `overrides.json`, with some fields replaced. */
  create(overrides?: Partial<C>): C;
}

/** Where a configuration was found. */
export interface ConfigSource {
  readonly json: JsonObject;
  /** Path of `json` for error messages. */
  readonly where: string;
  /** The configuration of the full model that contains it, if it was read from one. */
  readonly fullModel?: JsonObject;
}

export interface ConfigDefinition<C extends PartConfig, Stored extends object> {
  /** `model_type` of the part; if absent in JSON, it is implied. */
  readonly modelType: C['modelType'];
  /** `model_type` of the same part in an InstructBLIP model, if it differs. */
  readonly instructBlipType?: C['modelType'];
  /** Key of the part in the configuration of a full model. */
  readonly key: PartKey;
  /** `model_type` values of full models that contain the part under `key`. Default: BLIP-2 and InstructBLIP. */
  readonly fullModelTypes?: readonly string[];
  /** Names on disk, defaults and bounds of the stored fields. */
  readonly fields: FieldTable<Stored>;
  /** All values of the configuration, from the stored ones. */
  readonly derive: (stored: Stored, source: ConfigSource) => Omit<C, 'modelType' | 'json'>;
  /** Throws if values contradict each other. */
  readonly check?: (config: Omit<C, 'modelType' | 'json'>, where: string) => void;
  /** Members of the configuration that are derived and not stored: `create` accepts them. */
  readonly derived?: readonly (keyof C & string)[];
  /** Stored fields of overrides, for members that `derive` adds. Default: the overrides themselves. */
  readonly storedOverrides?: (overrides: Partial<C>, base: C) => Partial<C>;
  /** Moves written fields to other keys. `json` is the JSON before the change. */
  readonly place?: (written: Record<string, unknown>, json: JsonObject, values: Partial<C>) => Record<string, unknown>;
}

/** Defines how the configuration of a part is read, written and created. */
export function defineConfig<C extends PartConfig, Stored extends object>(
  definition: ConfigDefinition<C, Stored>,
): ConfigFormat<C> {
  const { modelType, instructBlipType = modelType, key, fullModelTypes, fields, derived = [] } = definition;
  const { storedOverrides = (overrides) => overrides, place = (written) => written } = definition;

  const read = (source: ConfigSource): Omit<C, 'modelType' | 'json'> => {
    const values = definition.derive(readFields(fields, source.json, source.where), source);
    definition.check?.(values, source.where);
    return values;
  };
  const fromJson = (json: unknown, where = 'config.json'): C => {
    const given = frozenObject(json, where);
    const own = subConfig(given, key, where, fullModelTypes, [modelType, instructBlipType]);
    requireModelType(own.json, [modelType, instructBlipType], own.where);
    const implied = ownValue(given, 'model_type') === INSTRUCTBLIP_MODEL_TYPE ? instructBlipType : modelType;
    const type = ownValue(own.json, 'model_type') ?? implied;
    const config = {
      modelType: type === instructBlipType ? instructBlipType : modelType,
      ...read({ ...own, ...(isFullModel(given, fullModelTypes) && { fullModel: given }) }),
      json: own.json,
    };
    // `Omit` of a type parameter is opaque to the compiler: these are all members of `C`.
    return Object.freeze(config) as C;
  };
  const write = (json: JsonObject, values: Partial<C>, options?: ToJsonOptions): Record<string, unknown> => {
    const meaning = (other: JsonObject): object => read({ json: other, where: modelType });
    return place(writeFields(fields, values, json, meaning, options), json, values);
  };
  return {
    fromJson,
    toJson: (config, options) => ({
      ...(options?.full && { model_type: config.modelType }),
      ...write(config.json, config, options),
    }),
    create(overrides = {}) {
      requireKnownFields(fields, overrides, ['modelType', ...derived, 'json'], modelType);
      const base = fromJson({ model_type: overrides.modelType ?? modelType, ...overrides.json }, modelType);
      return fromJson(write(base.json, storedOverrides(overrides, base)), modelType);
    },
  };
}
