import { requireFrom } from '@blip2/files';

let version: string | undefined;

/** Version of the installed onnxruntime-node, read without loading it. */
export function runtimeVersion(): string {
  version ??= (requireFrom(import.meta.url)('onnxruntime-node/package.json') as { readonly version: string }).version;
  return version;
}
