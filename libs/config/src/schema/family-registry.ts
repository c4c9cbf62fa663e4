import { Blip2Error, mustBe, processWide } from '@blip2/interfaces';

import { unsupportedModelType } from './config-rules.ts';

/** Model families by `model_type`: those of a package, and those that were registered at run time. */
export interface FamilyRegistry<F> {
  /** Every `model_type`, those of the package first. */
  types(): readonly string[];
  families(): readonly F[];
  /**
   * The family of a `model_type`.
   * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with the registered types and how to add another.
   */
  find(modelType: unknown, where?: string): F;
  /**
   * Adds a family. Adding the same one again has no effect.
   * @throws Blip2Error `INVALID_ARGUMENT` if the type belongs to another family.
   */
  register(modelType: string, family: F): void;
}

export interface FamilyRegistryOptions<F> {
  /** Unique name of the table. */
  readonly name: string;
  /** The families of the package; the first is that of a configuration without `model_type`. */
  readonly builtIn: ReadonlyMap<string, F>;
  /** The function with which others are registered, and its package. */
  readonly registeredBy: string;
  /** Whether two definitions of a family are the same. */
  isSame(one: F, other: F): boolean;
}

/** Creates the table of the families of one role. Registered families are those of the whole thread. */
export function createFamilyRegistry<F>({
  name,
  builtIn,
  registeredBy,
  isSame,
}: FamilyRegistryOptions<F>): FamilyRegistry<F> {
  const registered = processWide(`families/${name}`, () => new Map<string, F>());
  const get = (modelType: unknown): F | undefined =>
    typeof modelType === 'string' ? (builtIn.get(modelType) ?? registered.get(modelType)) : undefined;
  const types = (): string[] => [...builtIn.keys(), ...registered.keys()];
  return {
    types,
    families: () => [...builtIn.values(), ...registered.values()],
    find(modelType, where = 'model_type') {
      const family = get(modelType);
      if (family !== undefined) return family;
      const fix = `Register its family with ${registeredBy}, in a file that the command line takes with --module`;
      throw unsupportedModelType(modelType, types(), where, fix);
    },
    register(modelType, family) {
      const existing = get(modelType);
      if (existing === undefined) registered.set(modelType, family);
      else if (!isSame(existing, family))
        throw new Blip2Error('INVALID_ARGUMENT', 'The model type belongs to another family', {
          argument: 'modelType',
          got: modelType,
          subject: modelType,
          fix: 'Register a family once, or choose another model_type',
        });
    },
  };
}

/**
 * Checks the members of a definition, which may come from untyped code.
 * @throws Blip2Error `INVALID_ARGUMENT` with the first member of the wrong type.
 */
export function expectMembers(
  argument: string,
  value: unknown,
  members: Readonly<Record<string, 'function' | 'object' | 'string'>>,
): void {
  if (typeof value !== 'object' || value === null) throw mustBe(argument, 'an object', value);
  for (const [member, type] of Object.entries(members)) {
    const found: unknown = Reflect.get(value, member);
    if (typeof found !== type || found === null || found === '')
      throw mustBe(
        `${argument}.${member}`,
        type === 'string' ? 'a string' : `a${type === 'object' ? 'n' : ''} ${type}`,
        found,
      );
  }
}

/** @throws Blip2Error `INVALID_ARGUMENT` unless `format` reads, writes and creates configurations. */
export function expectFormat(format: unknown): void {
  expectMembers('config.format', format, { fromJson: 'function', toJson: 'function', create: 'function' });
}
