import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';

/** What decides how fast products of small integers and of halves are. */
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

/** This machine, as far as it decides what is measured. */
export function machine() {
  const flags = new Set(cpuFlags());
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    features: FEATURES.filter((name) => flags.has(name)),
    cores: availableParallelism(),
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
  };
}

/** Versions of what ours runs on. */
export function versions() {
  const runtime = createRequire(new URL('../libs/runtime/package.json', import.meta.url));
  const { version } = JSON.parse(readFileSync(runtime.resolve('onnxruntime-node/package.json'), 'utf8'));
  return { node: process.versions.node, onnxruntime: version };
}

function cpuFlags() {
  try {
    return /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].trim().split(/\s+/) ?? [];
  } catch {
    return [];
  }
}
