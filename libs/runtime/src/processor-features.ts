import { readFileSync } from 'node:fs';

/** How Linux names the instructions that multiply unsigned by signed bytes without overflow. */
const EXACT_BYTE_PRODUCTS = /\b(avx512_vnni|avx_vnni)\b/;

/**
 * Whether this processor is known to add products of unsigned and signed bytes without overflow. Linux says so in `/proc/cpuinfo`; elsewhere it is not known, hence false.
 * Arm's instructions take signed bytes on both sides, where the question does not arise.
 */
export function hasExactByteProducts(architecture: string = process.arch, readCpuInfo: () => string = () => readFileSync('/proc/cpuinfo', 'utf8')): boolean {
  if (architecture !== 'x64') return true;
  try {
    return EXACT_BYTE_PRODUCTS.test(readCpuInfo());
  } catch {
    return false;
  }
}
