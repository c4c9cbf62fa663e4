import { mustBe, type PixelValues, type Tensor } from '@blip2/interfaces';

import type { PartRunner } from './served-model.ts';

/** A part that consumes the output of the one before. */
export interface Stage {
  readonly name: string;
  run(values: never): Promise<Tensor<'float32'>>;
}

/** Runs parts one after another and returns the outputs of some. */
export function partRunner(imageSize: number, stages: readonly Stage[]): PartRunner {
  const names = stages.map(({ name }) => name);
  return {
    inputShape: [3, imageSize, imageSize],
    outputNames: names,
    async run(pixelValues, wanted, { signal }) {
      const unknown = wanted.find((name) => !names.includes(name));
      if (unknown !== undefined) throw mustBe('outputs', `one of ${names.join(', ')}`, unknown);
      const outputs: Record<string, Tensor<'float32'>> = {};
      const last = Math.max(...wanted.map((name) => names.indexOf(name)));
      let values: Tensor<'float32'> = pixelValues satisfies PixelValues;
      for (const { name, run } of stages.slice(0, last + 1)) {
        signal.throwIfAborted();
        values = await run(values as never);
        if (wanted.includes(name)) outputs[name] = values;
      }
      return outputs;
    },
  };
}
