import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/**
 * The random checkpoint of a shape, made if it is missing: in `given`, or in `$BLIP2_BENCH_CHECKPOINTS`, or in
 * `benchmarks/checkpoints`, which git ignores.
 */
export function checkpointFolder(shape, given) {
  const folder = given ?? join(process.env.BLIP2_BENCH_CHECKPOINTS ?? here('checkpoints'), shape);
  // Written last.
  if (!existsSync(join(folder, 'processor_config.json')))
    execFileSync(process.execPath, [here('make-random-checkpoint.mjs'), shape, folder], { stdio: ['ignore', 2, 2] });
  return folder;
}
