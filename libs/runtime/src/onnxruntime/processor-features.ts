import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

let cpuInfo: string | undefined;

/** Contents of `/proc/cpuinfo`, read once. Throws if it does not exist (not Linux). */
function readCpuInfo(): string {
  cpuInfo ??= readFileSync('/proc/cpuinfo', 'utf8');
  return cpuInfo;
}

/** The line of instruction set flags in `/proc/cpuinfo`; undefined on other systems. */
export function processorFlags(): string | undefined {
  try {
    return /^flags\s*:.*$/m.exec(readCpuInfo())?.[0];
  } catch {
    return undefined;
  }
}

/** Model name of the processor from `/proc/cpuinfo`, or else from Node; undefined if unknown. */
export function processorModel(): string | undefined {
  try {
    const [, model] = /^model name\s*:\s*(.*)$/m.exec(readCpuInfo()) ?? [];
    if (model !== undefined) return model;
  } catch {
    // Not Linux.
  }
  return cpus()[0]?.model;
}

/** Linux's names of the instruction sets that multiply unsigned by signed bytes without overflow (VNNI). */
const EXACT_BYTE_PRODUCTS = /\b(avx512_vnni|avx_vnni)\b/;

/**
 * Whether this processor is known to add products of unsigned and signed bytes without overflow. On x86 that is read
 * from `/proc/cpuinfo`, and false on systems without it. On Arm it is true: the instructions multiply signed bytes.
 */
export function hasExactByteProducts(architecture: string = process.arch, read: () => string = readCpuInfo): boolean {
  if (architecture !== 'x64') return true;
  try {
    return EXACT_BYTE_PRODUCTS.test(read());
  } catch {
    return false;
  }
}
