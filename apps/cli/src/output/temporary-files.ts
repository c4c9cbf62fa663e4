import { rmSync } from 'node:fs';

/** Files of this process that have no final name yet. */
const unfinished = new Set<string>();

/** Remembers a temporary file until `forget`: it is removed if the process ends first. */
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
