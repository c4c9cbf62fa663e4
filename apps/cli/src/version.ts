import { readFileSync } from 'node:fs';

/** Version of the command. */
export function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}

/** Version line of bug reports: `blip2 0.1.0 (node v20.19.0, linux x64)`. */
export function versionLine(): string {
  return `blip2 ${version()} (node ${process.version}, ${process.platform} ${process.arch})`;
}
