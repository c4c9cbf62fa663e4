import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * URL of a built module that Node itself has to load: the program of a worker thread or child process, or a module that
 * one imports. A bundle does not contain these files. `path` is `PACKAGE/MODULE.js`, as in `runtime/worker/x.js`, and
 * `own` creates its URL relative to the calling module, which a bundle may not have.
 *
 * If there is no such file, the package is looked up in the folder `BLIP2_MODULES` (a `node_modules`), else from the
 * program that Node was started with.
 */
export function moduleUrl(path: string, own: () => URL): URL {
  const url = attempt(own);
  if (url && existsSync(fileURLToPath(url))) return url;
  const found = installed(path);
  // Of source files that tests run, a loader finds the module.
  return found && existsSync(found) ? pathToFileURL(found) : (url ?? pathToFileURL(found ?? resolve(path)));
}

/** A `require` relative to a module, or to the program in a CommonJS bundle, whose modules have no URL. */
export function requireFrom(moduleAddress: string | undefined): NodeJS.Require {
  return createRequire(moduleAddress ?? resolve(process.argv[1] ?? 'package.json'));
}

function installed(path: string): string | undefined {
  const [name = '', ...rest] = path.split('/');
  const modules = process.env['BLIP2_MODULES'];
  const manifest = modules
    ? join(resolve(modules), '@blip2', name, 'package.json')
    : attempt(() => requireFrom(undefined).resolve(`@blip2/${name}/package.json`));
  return manifest === undefined ? undefined : join(manifest, '..', 'bundle', ...rest);
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
