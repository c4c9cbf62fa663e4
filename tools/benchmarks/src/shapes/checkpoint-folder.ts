import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { programPath, repositoryPath } from '../repository.ts';

/**
 * Folder of the random checkpoint of a shape, created if it does not exist: `given`, or a folder in
 * `$BLIP2_BENCH_CHECKPOINTS`, or one in `tools/benchmarks/checkpoints`, which Git ignores.
 */
export function checkpointFolder(shape: string, given?: string): string {
  const parent = process.env['BLIP2_BENCH_CHECKPOINTS'] ?? repositoryPath('tools/benchmarks/checkpoints');
  const folder = given ?? join(parent, shape);
  // The file that is written last.
  if (!existsSync(join(folder, 'processor_config.json')))
    execFileSync(process.execPath, [programPath('random-checkpoint'), shape, folder], { stdio: ['ignore', 2, 2] });
  return folder;
}
