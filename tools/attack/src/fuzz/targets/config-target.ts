import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import {
  Blip2Config,
  Blip2QFormerConfig,
  Blip2VisionConfig,
  ClipVisionConfig,
  type ConfigFormat,
  EvaVisionConfig,
  GenerationConfig,
  InstructBlipConfig,
  LlamaConfig,
  Mt5Config,
  OptConfig,
  readConfig,
  T5Config,
  Umt5Config,
} from '@blip2/config';
import fc, { type Arbitrary } from 'fast-check';

import { BrokenPromise } from '../broken-promise.ts';
import { damagedBytes, damagedJson } from '../damage.ts';
import { defineTarget, type Target } from '../target.ts';
import { inTemporaryFolder } from '../temporary-folder.ts';
import { goldenFiles, goldenJson } from './golden-checkpoints.ts';

interface Format {
  fromJson(json: unknown): unknown;
  toJson(config: unknown): unknown;
}

/** Erases the type of the configuration. */
function formatOf<C>({ fromJson, toJson }: Pick<ConfigFormat<C>, 'fromJson' | 'toJson'>): Format {
  return { fromJson: (json) => fromJson(json), toJson: (config) => toJson(config as C) };
}

const PART_KEYS = ['vision_config', 'qformer_config', 'text_config'] as const;
const MODELS: readonly Format[] = [formatOf(Blip2Config), formatOf(InstructBlipConfig)];
const PARTS: readonly Format[] = [
  formatOf(Blip2VisionConfig),
  formatOf(ClipVisionConfig),
  formatOf(OptConfig),
  formatOf(T5Config),
  formatOf(Mt5Config),
  formatOf(Umt5Config),
  formatOf(EvaVisionConfig),
  formatOf(LlamaConfig),
  formatOf(Blip2QFormerConfig),
  formatOf(GenerationConfig),
];

/** `config.json` and `generation_config.json`. What is accepted can be written and read again. */
export const configTarget: Target<unknown> = defineTarget<Uint8Array>({
  name: 'config',
  promise: 'A configuration is refused with a code, or written and read again without a change.',
  open: () =>
    inTemporaryFolder((folder) => {
      const seeds = ['config.json', 'generation_config.json'];
      const cases: Arbitrary<Uint8Array> = fc.oneof(
        {
          weight: 4,
          arbitrary: damagedJson(seeds.flatMap(goldenJson)).map((json) => Buffer.from(JSON.stringify(json))),
        },
        { weight: 1, arbitrary: damagedBytes(seeds.flatMap(goldenFiles).map((text) => Buffer.from(text))) },
      );
      return {
        cases,
        run: async (bytes) => {
          await writeFile(join(folder, 'config.json'), bytes);
          const json = await readConfig(folder);
          let refusal: unknown;
          let accepted = 0;
          for (const format of [...MODELS, ...PARTS]) {
            const config = attempt(
              () => format.fromJson(json),
              (error) => (refusal = error),
            );
            if (config === undefined) continue;
            accepted++;
            const written = format.toJson(config);
            // Alone, a part with such a key is taken for a full model.
            if (PARTS.includes(format) && PART_KEYS.some((key) => Object.hasOwn(written as object, key))) continue;
            const again = format.toJson(format.fromJson(written));
            if (JSON.stringify(again) !== JSON.stringify(written))
              throw new BrokenPromise('the written configuration differs');
          }
          if (accepted === 0) throw refusal;
        },
      };
    }),
});

function attempt<R>(run: () => R, onError: (error: unknown) => void): R | undefined {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'Blip2Error') throw error;
    onError(error);
    return undefined;
  }
}
