import { mustBe } from '@blip2/interfaces';

/** The first version in which `Resize`, `Split` and the reductions are as the graphs use them. */
export const MIN_OPSET = 18;
/** The last version whose operators were compared with those that the graphs use. */
export const MAX_OPSET = 23;
/** The version that graphs are written in. */
export const DEFAULT_OPSET = 21;
/** The first version with the operator `Gelu`. */
export const GELU_OPSET = 20;
/** The first version with 4-bit integers and with one scale per block in `DequantizeLinear`. */
export const BLOCK_OPSET = 21;

/** The version of the file format that introduced each version of the operators. */
const IR_VERSIONS: Readonly<Record<number, number>> = { 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11 };

/**
 * Returns a version of the standard operators that graphs can be written in. `argument` is its name in errors.
 * @throws Blip2Error `INVALID_ARGUMENT` for others.
 */
export function expectOpset(opset: number, argument = 'opset'): number {
  if (Number.isInteger(opset) && opset >= MIN_OPSET && opset <= MAX_OPSET) return opset;
  throw mustBe(argument, `an integer from ${MIN_OPSET} to ${MAX_OPSET}`, opset);
}

export function irVersionOf(opset: number): number {
  return IR_VERSIONS[opset] ?? IR_VERSIONS[DEFAULT_OPSET] ?? 10;
}
