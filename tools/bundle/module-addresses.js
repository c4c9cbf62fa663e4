import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';

/** `new URL('./worker.js', import.meta.url)`: the address of a file, relative to the module. */
const ADDRESS = /new URL\((['"])(\.[^'"]+)\1, import\.meta\.url\)/g;
const MARK = './\0';
/** An absolute stand-in for `bundle`: relative paths would be resolved against the current folder. */
const BASE = '/packages/package/bundle';

/**
 * The compiled modules whose address is taken by another one, relative to `dist`. The compiler leaves the output of
 * deleted sources there, which does not count.
 * @param {string} folder
 */
export function addressedModules(folder) {
  const dist = join(folder, 'dist');
  const hasSource = (path) => existsSync(join(folder, 'src', path.replace(/\.js$/, '.ts')));
  return readdirSync(dist, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js') && hasSource(path))
    .flatMap((path) =>
      [...readFileSync(join(dist, path), 'utf8').matchAll(ADDRESS)].map(([, , target]) =>
        posix.join(dirname(path), target),
      ),
    )
    .filter((path) => path.endsWith('.js') && hasSource(path));
}

/**
 * Keeps the addresses of files right in a bundle, whose files lie elsewhere than the modules in `dist`.
 * @param {string} dist
 * @returns {import('rolldown').Plugin}
 */
export function relativeAddresses(dist) {
  return {
    name: 'relative-addresses',
    transform(code, id) {
      if (!code.includes('import.meta.url')) return undefined;
      const folder = relative(dist, dirname(id));
      const marked = code.replace(ADDRESS, (whole, quote, target) =>
        // Examples in messages name no file.
        existsSync(join(dirname(id), target))
          ? `new URL(${quote}${MARK}${posix.join(folder, target)}${quote}, import.meta.url)`
          : whole,
      );
      return { code: marked, map: null };
    },
    renderChunk(code, { fileName }) {
      const folder = dirname(fileName);
      return code.replace(/new URL\((['"])\.\/(?:\0|\\0)([^'"]+)\1, import\.meta\.url\)/g, (_, quote, target) => {
        const path = posix.relative(posix.join(BASE, folder), posix.join(BASE, target));
        return `new URL(${quote}${path.startsWith('.') ? path : `./${path}`}${quote}, import.meta.url)`;
      });
    },
  };
}
