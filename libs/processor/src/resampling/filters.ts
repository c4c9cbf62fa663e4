/** A resampling filter: weight as a function of the distance from the center; zero beyond `support` source pixels. */
export interface ResamplingFilter {
  readonly support: number;
  weight(x: number): number;
}

/** Numbers of Pillow's filters (`PIL.Image.Resampling`), as stored in `preprocessor_config.json`. */
export const RESAMPLING_CODES = { nearest: 0, lanczos: 1, bilinear: 2, bicubic: 3, box: 4, hamming: 5 } as const;
/** Name of a resampling filter. */
export type ResamplingName = keyof typeof RESAMPLING_CODES;

/** Parameter `a` of cubic convolution (Keys 1981) in Pillow. Other libraries use -0.75. */
const CUBIC_A = -0.5;
/** Coefficients of the Hamming window, single-precision constants in Pillow. */
const HAMMING_ALPHA: number = Math.fround(0.54);
const HAMMING_BETA: number = Math.fround(0.46);

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** The filters of Pillow's `Resample.c`, with its order of operations, on which rounding to 22 bits depends. */
export const RESAMPLING_FILTERS: Readonly<Record<Exclude<ResamplingName, 'nearest'>, ResamplingFilter>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: {
    support: 1,
    weight(signed) {
      const x = Math.abs(signed);
      return x < 1 ? 1 - x : 0;
    },
  },
  hamming: {
    support: 1,
    weight(signed) {
      const x = Math.abs(signed);
      if (x === 0) return 1;
      if (x >= 1) return 0;
      const angle = x * Math.PI;
      return (Math.sin(angle) / angle) * (HAMMING_ALPHA + HAMMING_BETA * Math.cos(angle));
    },
  },
  bicubic: {
    support: 2,
    weight(signed) {
      const x = Math.abs(signed);
      if (x < 1) return ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1;
      if (x < 2) return (((x - 5) * x + 8) * x - 4) * CUBIC_A;
      return 0;
    },
  },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Looks up a filter by name or by Pillow's number; `undefined` if it does not exist. */
export function resamplingName(filter: unknown): ResamplingName | undefined {
  for (const name of resamplingNames()) if (filter === name || filter === RESAMPLING_CODES[name]) return name;
  return undefined;
}

function resamplingNames(): readonly ResamplingName[] {
  return ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];
}
