import { createRequire } from 'node:module';

let version: string | undefined;

/** The version of onnxruntime-node that is installed. The runtime itself is not loaded for it. */
export function runtimeVersion(): string {
  version ??= (createRequire(import.meta.url)('onnxruntime-node/package.json') as { readonly version: string }).version;
  return version;
}
