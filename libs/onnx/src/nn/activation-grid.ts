import type { ActivationBits } from '@blip2/interfaces';

import type { Sign } from '../value.ts';

/** Quantization of a row of activations to unsigned bytes: the zero point, and the number of steps on either side. */
export interface ActivationGrid {
  readonly zero: number;
  readonly above: number;
  /** Absent if no element is negative. */
  readonly below?: number;
}

/**
 * Grids by sign and bits. After GELU a quarter of the usual steps is below zero: it never falls below −0.17 while its
 * largest results are 2 to 10, so the largest element decides the scale and gets nearly twice the steps.
 */
export const ACTIVATION_GRIDS: Readonly<Record<Sign, Readonly<Record<ActivationBits, ActivationGrid>>>> = {
  signed: { 8: { zero: 128, above: 127, below: 127 }, 7: { zero: 64, above: 63, below: 63 } },
  mostlyPositive: { 8: { zero: 32, above: 223, below: 32 }, 7: { zero: 16, above: 111, below: 16 } },
  nonNegative: { 8: { zero: 0, above: 255 }, 7: { zero: 0, above: 127 } },
};
