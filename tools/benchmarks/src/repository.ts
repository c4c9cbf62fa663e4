import { fileURLToPath } from 'node:url';

const ROOT_URL = new URL('../../../', import.meta.url);

/** Absolute path of a file or folder of this repository, given relative to its root. */
export function repositoryPath(path: string): string {
  return fileURLToPath(new URL(path, ROOT_URL));
}

/** Absolute path of a program of this package: `bandwidth`, `scaling`, … */
export function programPath(name: string): string {
  return repositoryPath(`tools/benchmarks/bin/${name}.js`);
}

/** Absolute path of a committed result file. */
export function resultPath(file: string): string {
  return repositoryPath(`tools/benchmarks/results/${file}`);
}

/** The executable of the `blip2` command. */
export const BLIP2: string = repositoryPath('apps/cli/bin/blip2.js');
/** A photograph-sized image, the input of all timings. */
export const TIMED_IMAGE: string = repositoryPath('examples/photo-size.jpg');
