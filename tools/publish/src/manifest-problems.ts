import type { PackageManifest } from './package-manifest.ts';
import type { Workspace, WorkspacePackage } from './workspace.ts';

const DEPENDENCY_KINDS = ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'] as const;

/** What every package leaves at home: build state, and source maps, whose sources are not packed. */
const EXCLUSIONS = ['!dist/**/*.tsbuildinfo', '!dist/**/*.map'];

/**
 * The conditions that npm's users resolve by. Anything else (`source`, `development`) leads them to files that are not
 * packed.
 */
const CONDITIONS = ['types', 'default'];

/** Scripts that npm would run on the machine of somebody who installs the package. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare'];

/** What keeps a package from being published as it is, one line each, the name of the package first. */
export function manifestProblems(workspace: Workspace, { folder, manifest }: WorkspacePackage): string[] {
  const problems = [
    ...versionProblems(workspace, manifest),
    ...descriptionProblems(workspace, folder, manifest),
    ...exportProblems(manifest),
    ...fileProblems(manifest),
    ...INSTALL_SCRIPTS.filter((name) => manifest.scripts?.[name] !== undefined).map(
      (name) => `scripts.${name} would run where the package is installed`,
    ),
  ];
  return problems.map((problem) => `${manifest.name}: ${problem}`);
}

/** Private packages are not released: they take whatever version lies beside them. */
export function privateManifestProblems(workspace: Workspace, { manifest }: WorkspacePackage): string[] {
  return internalDependencies(workspace, manifest)
    .filter(({ range }) => range !== '*')
    .map(({ name, range }) => `${manifest.name}: private, so it depends on ${name} by "*", not "${range}"`);
}

function versionProblems(workspace: Workspace, manifest: PackageManifest): string[] {
  const expected = oneVersion(workspace);
  const own =
    manifest.version === expected ? [] : [`version is ${manifest.version}; all packages have one, ${expected}`];
  const wrong = internalDependencies(workspace, manifest).filter(({ range }) => range !== expected);
  const unpublished = internalDependencies(workspace, manifest).filter(
    ({ name }) => !workspace.published.some((other) => other.manifest.name === name),
  );
  return [
    ...own,
    ...wrong.map(
      ({ name, range, kind }) =>
        `${kind} has ${name} "${range}"; between the packages versions are exact: "${expected}"`,
    ),
    ...unpublished.map(({ name, kind }) => `${kind} has ${name}, which is not published`),
  ];
}

/** That of the first package. A release leaves the root manifest as it is. */
function oneVersion({ published, manifest }: Workspace): string {
  return published[0]?.manifest.version ?? manifest.version;
}

function internalDependencies(
  workspace: Workspace,
  manifest: PackageManifest,
): { name: string; range: string; kind: string }[] {
  const names = new Set([...workspace.published, ...workspace.private].map((other) => other.manifest.name));
  return DEPENDENCY_KINDS.flatMap((kind) =>
    Object.entries(manifest[kind] ?? {}).map(([name, range]) => ({ name, range, kind })),
  ).filter(({ name }) => names.has(name));
}

function descriptionProblems({ manifest: root }: Workspace, folder: string, manifest: PackageManifest): string[] {
  const problems: string[] = [];
  if (!manifest.description?.endsWith('.')) problems.push('description is no sentence');
  if ((manifest.keywords ?? []).length < 2) problems.push('keywords are missing');
  if (manifest.type !== 'module') problems.push('type is not "module"');
  if (manifest.license !== root.license)
    problems.push(`license is ${manifest.license}; that of the repository is ${root.license}`);
  if (manifest.engines?.node !== root.engines?.node)
    problems.push(`engines.node is ${manifest.engines?.node}; that of the repository is ${root.engines?.node}`);
  if (manifest.publishConfig?.access !== 'public')
    problems.push('publishConfig.access is not "public": npm publishes scoped packages privately');
  if (manifest.repository?.url !== root.repository?.url)
    problems.push(`repository.url is ${manifest.repository?.url}; that of the root is ${root.repository?.url}`);
  if (root.repository !== undefined && manifest.repository?.directory !== folder)
    problems.push(`repository.directory is not ${folder}`);
  return problems;
}

function exportProblems(manifest: PackageManifest): string[] {
  const entries = Object.entries(manifest.exports ?? {});
  const problems = entries.flatMap(([subpath, target]) =>
    typeof target === 'string' ? pathProblems(subpath, target) : targetProblems(subpath, target),
  );
  const main = manifest.exports?.['.'];
  if (main === undefined || typeof main === 'string') return [...problems, 'exports has no entry "."'];
  return manifest.types === main['types']
    ? problems
    : [...problems, `types is ${manifest.types}; that of exports is ${main['types']}`];
}

function pathProblems(subpath: string, target: string): string[] {
  return subpath === './package.json' && target === subpath ? [] : [`exports["${subpath}"] has no types`];
}

function targetProblems(subpath: string, target: Readonly<Record<string, string>>): string[] {
  if (Object.keys(target).join() !== CONDITIONS.join())
    return [
      `exports["${subpath}"] has the conditions ${Object.keys(target).join(', ')}; expected ${CONDITIONS.join(', ')}, in this order`,
    ];
  const { types = '', default: code = '' } = target;
  const fits = /^\.\/dist\/[\w/-]+\.js$/.test(code) && types === code.replace(/\.js$/, '.d.ts');
  return fits ? [] : [`exports["${subpath}"] leads to ${types} and ${code}; expected a pair .d.ts and .js in ./dist`];
}

function fileProblems(manifest: PackageManifest): string[] {
  return ['dist', ...EXCLUSIONS, 'NOTICE']
    .filter((entry) => !manifest.files?.includes(entry))
    .map((entry) => `files has no "${entry}"`);
}
