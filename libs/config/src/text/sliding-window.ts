/** Attention that is limited to a window of positions, in some or all layers. */
import { Blip2Error } from '@blip2/interfaces';

import type { ConfigSource } from '../schema/define-config.ts';
import { count, type Field, optional } from '../schema/field-types.ts';
import { ownValue, show } from '../schema/json-values.ts';
import { MAX_POSITIONS } from '../schema/limits.ts';

/** Whether a layer attends to all earlier positions or to those in the window. */
export type LayerType = 'full_attention' | 'sliding_attention';

/** What a configuration with windows derives. */
export interface WindowedLayers {
  /** The type of each layer. */
  readonly layerTypes: readonly LayerType[];
}

const TYPES: readonly LayerType[] = ['full_attention', 'sliding_attention'];

/** Number of positions that a position in a windowed layer attends to, itself included. Null: no window. */
export function slidingWindow(defaultValue: number | undefined): Field<number | undefined> {
  return { ...optional(count('sliding_window', 4096, MAX_POSITIONS)), defaultValue };
}

/**
 * The `layer_types` of a configuration, or `typeOf` each layer if it has none.
 * @throws Blip2Error `INVALID_CONFIG` for another number of layers, `UNSUPPORTED_ARCHITECTURE` for other types.
 */
export function layerTypes(
  { json, where }: ConfigSource,
  layers: number,
  typeOf: (layer: number) => LayerType,
): readonly LayerType[] {
  const given = ownValue(json, 'layer_types') ?? undefined;
  if (given === undefined) return Object.freeze(Array.from({ length: layers }, (_, layer) => typeOf(layer)));
  const at = `${where}.layer_types`;
  if (!Array.isArray(given) || given.length !== layers)
    throw new Blip2Error('INVALID_CONFIG', 'layer_types must have one entry per layer', {
      expected: `a list of ${layers}`,
      got: show(given),
      where: at,
    });
  return Object.freeze(given.map((type: unknown) => knownType(type, at)));
}

function knownType(type: unknown, where: string): LayerType {
  const known = TYPES.find((name) => name === type);
  if (known !== undefined) return known;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The layer type is not supported', {
    expected: TYPES.join(' or '),
    got: show(type),
    where,
  });
}
