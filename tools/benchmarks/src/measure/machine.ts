import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';

import { defined, type ThreadChoice } from '@blip2/interfaces';
import { type CoreKind, explainThreads, type ThreadTiming } from '@blip2/runtime';

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

/** The processors that a measurement may use, and the threads that are chosen for them. */
export interface Processors {
  readonly processors: number;
  /** CPU quota in processors. */
  readonly quota?: number;
  /** Cores by kind, as far as the system tells. */
  readonly coreKinds?: readonly CoreKind[];
  /** Default threads of this library for a large model, and their measurement. */
  readonly threads?: Partial<ThreadChoice>;
  readonly threadTimings?: readonly ThreadTiming[];
}

/** Measures the default threads if they are not known yet. */
export async function processors(): Promise<Processors> {
  const { usable, choice, timings } = await explainThreads({ weightBytes: () => Infinity });
  return {
    processors: usable.processors,
    ...defined({ quota: usable.quota, coreKinds: usable.topology?.kinds, threads: choice, threadTimings: timings }),
  };
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
