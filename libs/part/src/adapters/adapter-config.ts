import { isJsonObject, type JsonObject, readJsonFile } from '@blip2/files';
import { Blip2Error, mustBe } from '@blip2/interfaces';

import {
  APPLIED_OPTIONS,
  HARMLESS_INITIALIZATIONS,
  IGNORED_OPTIONS,
  isInactive,
  REFUSED_OPTIONS,
} from './inactive-options.ts';

/** File name of the configuration of a PEFT adapter. */
export const ADAPTER_CONFIG_FILE = 'adapter_config.json';
/** Published files have about 1 kB; with a rank per module, 50 kB. */
const MAX_BYTES = 2 ** 20;
const MAX_SHOWN = 200;

/** The configuration of a LoRA as it was saved by PEFT, with its defaults. */
export interface AdapterConfig {
  readonly r: number;
  readonly loraAlpha: number;
  /** Scaling by the square root of the rank. */
  readonly useRslora: boolean;
  readonly useDora: boolean;
  /** Ranks and alphas by a regular expression of module names; the first that matches applies. */
  readonly rankPattern: ReadonlyMap<string, number>;
  readonly alphaPattern: ReadonlyMap<string, number>;
  /** Module names, one regular expression, or undefined for all. */
  readonly targetModules: readonly string[] | string | undefined;
  readonly excludeModules: readonly string[] | string;
  readonly modulesToSave: readonly string[];
  readonly layersToTransform: readonly number[];
  readonly layersPattern: readonly string[];
  readonly base: string | undefined;
  /** Revision of the base model. */
  readonly revision: string | undefined;
}

/**
 * Reads `adapter_config.json` of a folder.
 * @throws Blip2Error `MISSING_FILE`; `UNSAFE_PATH`; `INVALID_CONFIG` for a file that is not valid and for values of the
 * wrong type; `UNSUPPORTED_ARCHITECTURE` for other kinds of adapters and for options that are not supported, by name.
 */
export async function readAdapterConfig(folder: string): Promise<AdapterConfig> {
  const json = await readJsonFile(folder, ADAPTER_CONFIG_FILE, { code: 'INVALID_CONFIG', maxBytes: MAX_BYTES });
  if (json) return parseAdapterConfig(json, `${folder}/${ADAPTER_CONFIG_FILE}`);
  throw new Blip2Error('MISSING_FILE', `The adapter has no ${ADAPTER_CONFIG_FILE}`, {
    where: folder,
    fix: 'Pass the folder that save_pretrained of PEFT wrote',
  });
}

/**
 * Checks the configuration of an adapter. `where` is its file.
 * @throws Blip2Error the codes of `readAdapterConfig`.
 */
export function parseAdapterConfig(json: JsonObject, where: string): AdapterConfig {
  const fields = fieldsOf(json, where);
  const type = json['peft_type'];
  if (type !== 'LORA')
    throw unsupported(where, 'peft_type', 'LORA', type, 'only LoRA can be merged into the base weights');
  expectSupported(json, where);
  return {
    r: fields.positiveInteger('r', 8),
    loraAlpha: fields.number('lora_alpha', 8),
    useRslora: fields.flag('use_rslora'),
    useDora: fields.flag('use_dora'),
    rankPattern: fields.pattern('rank_pattern', isRank, 'a positive integer'),
    alphaPattern: fields.pattern('alpha_pattern', Number.isFinite, 'a number'),
    targetModules: json['target_modules'] === 'all-linear' ? undefined : (fields.names('target_modules') ?? undefined),
    excludeModules: fields.names('exclude_modules') ?? [],
    modulesToSave: asList(fields.names('modules_to_save') ?? []),
    layersToTransform: fields.integers('layers_to_transform'),
    layersPattern: asList(fields.names('layers_pattern') ?? []).filter((name) => name !== ''),
    base: fields.text('base_model_name_or_path'),
    revision: fields.text('revision'),
  };
}

const asList = (names: readonly string[] | string): readonly string[] => (typeof names === 'string' ? [names] : names);
const isRank = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

/** @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for an option that changes the result and is not applied. */
function expectSupported(json: JsonObject, where: string): void {
  const initialization = json['init_lora_weights'];
  if (!HARMLESS_INITIALIZATIONS.has(initialization))
    throw unsupported(
      where,
      'init_lora_weights',
      [...HARMLESS_INITIALIZATIONS].filter((value) => value != null).join(', '),
      initialization,
      'it changed the base weights during training. Convert the adapter to a plain LoRA in Python: ' +
        'save_pretrained(folder, path_initial_model_for_weight_conversion=…)',
    );
  const bias = json['bias'] ?? 'none';
  if (bias !== 'none' && bias !== 'all' && bias !== 'lora_only')
    throw unsupported(where, 'bias', 'none, all or lora_only', bias, 'it is not a value of PEFT');
  if (json['lora_bias'] === true && json['use_dora'] === true)
    throw unsupported(where, 'lora_bias', 'false with use_dora', true, 'the two together are not supported');
  for (const [name, value] of Object.entries(json)) {
    if (IGNORED_OPTIONS.has(name) || APPLIED_OPTIONS.has(name) || isInactive(value)) continue;
    throw unsupported(where, name, 'absent', value, REFUSED_OPTIONS[name] ?? 'the option is not known');
  }
}

function unsupported(where: string, option: string, expected: string, got: unknown, reason: string): Blip2Error {
  const shown = got === undefined ? 'nothing' : (JSON.stringify(got) ?? typeof got);
  return new Blip2Error('UNSUPPORTED_ARCHITECTURE', `The adapter cannot be applied: ${option} is not supported`, {
    where,
    subject: option,
    expected,
    got: shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown,
    fix: `Merge the adapter in Python (merge_and_unload), or train it without: ${reason}`,
  });
}

/** Reads the fields of an object with their types. */
function fieldsOf(json: JsonObject, where: string) {
  const refuse = (name: string, expected: string): Blip2Error =>
    mustBe(name, expected, json[name], { code: 'INVALID_CONFIG', where, fix: 'Save the adapter again with PEFT' });
  const isNames = (value: unknown): value is readonly string[] =>
    Array.isArray(value) && value.every((name) => typeof name === 'string');
  return {
    positiveInteger(name: string, absent: number): number {
      const value = json[name] ?? absent;
      if (typeof value !== 'number' || !isRank(value)) throw refuse(name, 'a positive integer');
      return value;
    },
    number(name: string, absent: number): number {
      const value = json[name] ?? absent;
      if (typeof value !== 'number' || !Number.isFinite(value)) throw refuse(name, 'a number');
      return value;
    },
    flag(name: string): boolean {
      const value = json[name] ?? false;
      if (typeof value !== 'boolean') throw refuse(name, 'true or false');
      return value;
    },
    text(name: string): string | undefined {
      const value = json[name] ?? undefined;
      if (value !== undefined && typeof value !== 'string') throw refuse(name, 'a text');
      return value === '' ? undefined : value;
    },
    names(name: string): readonly string[] | string | undefined {
      const value = json[name] ?? undefined;
      if (value !== undefined && typeof value !== 'string' && !isNames(value))
        throw refuse(name, 'a list of names, or a text');
      return value;
    },
    integers(name: string): readonly number[] {
      const value = json[name] ?? [];
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (!list.every((each): each is number => Number.isSafeInteger(each))) throw refuse(name, 'a list of integers');
      return list;
    },
    pattern(name: string, isValid: (value: number) => boolean, kind: string): ReadonlyMap<string, number> {
      const value = json[name] ?? {};
      const expected = `an object with ${kind} per pattern`;
      if (!isJsonObject(value)) throw refuse(name, expected);
      return new Map(
        Object.entries(value).map(([key, number]) => {
          if (typeof number !== 'number' || !isValid(number)) throw refuse(name, expected);
          return [key, number];
        }),
      );
    },
  };
}
