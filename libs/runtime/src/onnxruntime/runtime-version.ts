import { createRequire } from 'node:module';

let version: string | undefined;

/** Version of the installed onnxruntime-node, read without loading it. */
export function runtimeVersion(): string {
  version ??= (createRequire(import.meta.url)('onnxruntime-node/package.json') as { readonly version: string }).version;
  return version;
}
