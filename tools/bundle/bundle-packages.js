import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

import { rolldown } from 'rolldown';

import { addressedModules, relativeAddresses } from './module-addresses.js';

/**
 * Bundles the modules that TypeScript compiled to `dist` into a few files in `bundle`, for every package of `libs` and
 * `apps`. Node needs about 0.4 ms for each module that it loads, and a caption loaded 1,200. Packages stay apart: a
 * bundle contains the modules of one package, each once, so that classes and state are shared between its entry points.
 *
 * Only files that change are written: other processes may be running from them.
 * @param {string} root
 */
export async function bundlePackages(root) {
  const folders = ['libs', 'apps'].flatMap((group) =>
    readdirSync(join(root, group)).map((name) => join(root, group, name)),
  );
  for (const folder of folders.filter((path) => existsSync(join(path, 'dist/index.js')))) await bundlePackage(folder);
}

/** @param {string} folder */
async function bundlePackage(folder) {
  const dist = join(folder, 'dist');
  const build = await rolldown({
    cwd: folder,
    input: Object.fromEntries(entryModules(folder).map((path) => [path.replace(/\.js$/, ''), join(dist, path)])),
    external: (id) => !/^[./]/.test(id),
    platform: 'node',
    plugins: [relativeAddresses(dist)],
  });
  const { output } = await build.generate({ format: 'esm', chunkFileNames: 'shared/[name]-[hash].js' });
  await build.close();
  update(
    join(folder, 'bundle'),
    new Map(output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : file.source])),
  );
}

/**
 * The modules that keep a file of their own: those in `exports`, and those whose address the code takes, such as the
 * program of a worker thread.
 * @param {string} folder
 */
function entryModules(folder) {
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const exported = Object.values(exports).flatMap(({ default: target }) =>
    target === undefined ? [] : [posix.relative('bundle', posix.normalize(target))],
  );
  return [...new Set([...exported, ...addressedModules(folder)])];
}

/**
 * Makes `folder` contain these files and no others.
 * @param {string} folder
 * @param {Map<string, string | Uint8Array>} files
 */
function update(folder, files) {
  for (const [name, content] of files) {
    const file = join(folder, name);
    if (existsSync(file) && readFileSync(file).equals(Buffer.from(content))) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.${process.pid}`, content);
    renameSync(`${file}.${process.pid}`, file);
  }
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const name = posix.relative(folder, posix.join(entry.parentPath, entry.name));
    if (entry.isFile() && !files.has(name)) rmSync(join(folder, name), { force: true });
  }
}
