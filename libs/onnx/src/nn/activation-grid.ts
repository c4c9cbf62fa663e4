import type { ActivationBits } from '@blip2/interfaces';

import type { Sign } from '../value.ts';

/**
 * How a row of activations is rounded to unsigned bytes: which one stands for zero, and how many steps there are above
 * and below.
 */
export interface ActivationGrid {
  readonly zero: number;
  readonly above: number;
  /** Absent where nothing is below zero. */
  readonly below?: number;
}

/**
 * A quarter of the steps below zero that signed numbers have: GELU reaches down to −0.17 while its largest numbers are
 * 2 to 10, so the row's largest decides, and gets nearly twice the steps.
 */
export const ACTIVATION_GRIDS: Readonly<Record<Sign, Readonly<Record<ActivationBits, ActivationGrid>>>> = {
  signed: { 8: { zero: 128, above: 127, below: 127 }, 7: { zero: 64, above: 63, below: 63 } },
  mostlyPositive: { 8: { zero: 32, above: 223, below: 32 }, 7: { zero: 16, above: 111, below: 16 } },
  nonNegative: { 8: { zero: 0, above: 255 }, 7: { zero: 0, above: 127 } },
};
