import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Licences under which users may use, change and pass on what they install with the packages. */
const ALLOWED: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
]);
/** Licences of single packages that are allowed for a reason. */
const EXCEPTIONS: readonly { readonly packages: RegExp; readonly licence: RegExp; readonly reason: string }[] = [
  {
    packages: /^@img\/sharp-(?:libvips-|wasm32|win32)/,
    licence: /LGPL-3\.0-or-later/,
    reason: 'libvips is loaded as a shared library, which users can replace',
  },
];

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
  readonly license?: string;
}

/** Packages that users install, and what is wrong with their licences. */
export interface LicenceReport {
  /** Number of packages by licence. */
  readonly counts: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

/** Reads the licences of all run-time dependencies from the lock file in `root`. */
export async function licenceReport(root: string): Promise<LicenceReport> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  const counts: Record<string, number> = {};
  const problems: string[] = [];
  for (const [path, { dev, devOptional, link, license }] of Object.entries(lock.packages)) {
    const name = path.split('node_modules/').at(-1) ?? '';
    if (!path.includes('node_modules/') || dev || devOptional || link) continue;
    const licence = license ?? (await installedLicence(root, path)) ?? 'none';
    counts[licence] = (counts[licence] ?? 0) + 1;
    if (!isAllowed(name, licence)) problems.push(`${name} has the licence ${licence}`);
  }
  return { counts, problems };
}

/** The licence of an installed package, for lock files without licences. Absent for other platforms. */
async function installedLicence(root: string, path: string): Promise<string | undefined> {
  const text = await readFile(join(root, path, 'package.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { license } = JSON.parse(text) as { readonly license?: unknown };
  return typeof license === 'string' ? license : undefined;
}

/** Whether a licence expression is allowed: each part of an AND, one part of an OR. */
export function isAllowed(name: string, licence: string): boolean {
  if (EXCEPTIONS.some(({ packages, licence: pattern }) => packages.test(name) && pattern.test(licence))) return true;
  const choices = licence.replaceAll(/[()]/g, '').split(' OR ');
  return choices.some((choice) => choice.split(' AND ').every((part) => ALLOWED.has(part.trim())));
}
