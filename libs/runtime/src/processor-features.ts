import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

let cpuInfo: string | undefined;

/** What Linux says of its processors, read once. Throws elsewhere. */
function readCpuInfo(): string {
  cpuInfo ??= readFileSync('/proc/cpuinfo', 'utf8');
  return cpuInfo;
}

/** Which instructions this processor has, in the words of the system; nothing where it does not tell. */
export function processorFlags(): string | undefined {
  try {
    return /^flags\s*:.*$/m.exec(readCpuInfo())?.[0];
  } catch {
    return undefined;
  }
}

/** What this processor is called; nothing where the system does not tell. Source: Linux, else Node. */
export function processorModel(): string | undefined {
  try {
    const [, model] = /^model name\s*:\s*(.*)$/m.exec(readCpuInfo()) ?? [];
    if (model !== undefined) return model;
  } catch {
    // No Linux.
  }
  return cpus()[0]?.model;
}

/** How Linux names the instructions that multiply unsigned by signed bytes without overflow. */
const EXACT_BYTE_PRODUCTS = /\b(avx512_vnni|avx_vnni)\b/;

/**
 * Whether this processor is known to add products of unsigned and signed bytes without overflow. Linux says so in
 * `/proc/cpuinfo`; elsewhere it is not known, hence false.
 * Arm's instructions take signed bytes on both sides, where the question does not arise.
 */
export function hasExactByteProducts(architecture: string = process.arch, read: () => string = readCpuInfo): boolean {
  if (architecture !== 'x64') return true;
  try {
    return EXACT_BYTE_PRODUCTS.test(read());
  } catch {
    return false;
  }
}
