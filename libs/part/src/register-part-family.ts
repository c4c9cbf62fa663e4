import { expectMembers, type FamilyRegistry } from '@blip2/config';
import { expectModule, importInWorkers } from '@blip2/runtime';

import { PART_MEMBERS } from './define-part.ts';

/** A family of models to add at run time. */
export interface PartFamilyDefinition<ModelType extends string, Config, Family> {
  /** `model_type` of its `config.json`. */
  readonly modelType: ModelType;
  /** How its configurations are read, and what they declare. */
  readonly config: Config;
  readonly family: Family;
  /**
   * URL of the module that registers the family when it is imported, `import.meta.url` in that module. Threads and
   * child processes with parts import it.
   */
  readonly module: string | URL;
}

/** Where the families of one role are registered. */
export interface PartFamilyRole<Config, Family> {
  readonly registry: FamilyRegistry<Family>;
  /** What a family has besides its part. */
  readonly members?: Readonly<Record<string, 'function' | 'object' | 'string'>>;
  registerConfig(modelType: string, config: Config): void;
}

/**
 * Adds a family of one role. Adding the same one again has no effect.
 * @throws Blip2Error `INVALID_ARGUMENT` if the type belongs to another family, or a member has the wrong type.
 */
export function registerPartFamily<Config, Family extends { readonly part: object }>(
  definition: PartFamilyDefinition<string, Config, Family>,
  { registry, members = {}, registerConfig }: PartFamilyRole<Config, Family>,
): void {
  expectMembers('definition', definition, { modelType: 'string', config: 'object', family: 'object' });
  const { modelType, config, family, module } = definition;
  expectMembers('family', family, { part: 'object', ...members });
  expectMembers('family.part', family.part, PART_MEMBERS);
  expectModule(module);
  registerConfig(modelType, config);
  registry.register(modelType, family);
  importInWorkers(module);
}
