import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';

const unfinished = new Set<string>();

/** Registry of temporary files. Those that are still registered when the process ends are deleted. */
export const temporaryFiles: { add(file: string): void; forget(file: string): void; removeAll(): void } = {
  add(file) {
    if (unfinished.size === 0) process.once('exit', temporaryFiles.removeAll);
    unfinished.add(file);
  },
  forget(file) {
    unfinished.delete(file);
    if (unfinished.size === 0) process.off('exit', temporaryFiles.removeAll);
  },
  removeAll() {
    for (const file of unfinished) rmSync(file, { force: true });
    unfinished.clear();
  },
};

/** A unique temporary name next to `file`. */
export function temporaryName(file: string): string {
  return `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}
