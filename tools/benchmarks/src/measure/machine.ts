import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';

import { repositoryPath } from '../repository.ts';

/** CPU features that determine the speed of integer and half-precision products. */
const FEATURES = [
  'avx2',
  'avx512f',
  'avx_vnni',
  'avx512_vnni',
  'avx512_bf16',
  'avx512_fp16',
  'amx_tile',
  'amx_int8',
  'amx_bf16',
];

/** The properties of a machine that determine the results. */
export interface Machine {
  readonly cpu: string;
  readonly features: readonly string[];
  readonly cores: number;
  readonly memoryGiB: number;
}

/** Describes this machine. */
export function machine(): Machine {
  const flags = new Set(cpuFlags());
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    features: FEATURES.filter((name) => flags.has(name)),
    cores: availableParallelism(),
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
  };
}

/** Versions of Node and onnxruntime. */
export function versions(): { readonly node: string; readonly onnxruntime: string } {
  const { version } = JSON.parse(
    readFileSync(requireFrom('libs/runtime').resolve('onnxruntime-node/package.json'), 'utf8'),
  ) as { readonly version: string };
  return { node: process.versions.node, onnxruntime: version };
}

/** `require` of a package, for a dependency that only this package may import. */
export function requireFrom(folder: string): NodeJS.Require {
  return createRequire(repositoryPath(`${folder}/package.json`));
}

function cpuFlags(): readonly string[] {
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
    return flags?.trim().split(/\s+/) ?? [];
  } catch {
    return [];
  }
}
