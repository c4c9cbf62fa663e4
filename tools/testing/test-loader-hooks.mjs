import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { transformSync } from 'rolldown/utils';

import { sourceOf, workspaceEntries } from './workspace-entries.mjs';

const root = join(import.meta.dirname, '../..');
const sources = new Map(workspaceEntries(root).map((entry) => [entry.specifier, pathToFileURL(sourceOf(entry)).href]));

export async function resolve(specifier, context, next) {
  const source = sources.get(specifier);
  if (source) return { url: source, shortCircuit: true, format: 'module' };
  if (/^(\.|file:)/.test(specifier) && specifier.endsWith('.js')) {
    const url = new URL(specifier, context.parentURL);
    if (url.protocol === 'file:' && !existsSync(fileURLToPath(url))) {
      const typescript = url.href.replace(/\.js$/, '.ts');
      if (existsSync(fileURLToPath(typescript))) return { url: typescript, shortCircuit: true, format: 'module' };
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (url.startsWith('file:') && url.endsWith('.ts')) {
    const path = fileURLToPath(url);
    const text = readFileSync(path, 'utf8');
    return {
      format: 'module',
      source: /\busing \w/.test(text) ? await lowerUsing(text) : stripTypes(path, text),
      shortCircuit: true,
    };
  }
  return next(url, context);
}

function stripTypes(path, text) {
  const output = transformSync(path, text, { sourcemap: false });
  if (output.errors?.length) throw new Error(output.errors[0].message);
  return output.code;
}

/**
 * Compiles `using`, which Node 20 lacks. TypeScript inlines its helper into the module; rolldown would import it from a
 * package that is not installed.
 */
async function lowerUsing(text) {
  const { default: ts } = await import('typescript');
  return ts.transpileModule(text, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
  }).outputText;
}
