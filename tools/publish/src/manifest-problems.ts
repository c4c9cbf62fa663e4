import type { PackageManifest } from './package-manifest.ts';
import type { Workspace, WorkspacePackage } from './workspace.ts';

const DEPENDENCY_KINDS = ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'] as const;

/** What every tarball contains: bundles, and the declarations of their modules. */
const FILES = ['bundle', 'dist/**/*.d.ts', 'NOTICE'];

/**
 * The conditions of `exports`, in order. Others (`source`, `development`) would resolve to files that are not packed.
 */
const CONDITIONS = ['types', 'default'];

/** Scripts that npm runs when a user installs the package. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare'];

/**
 * Finds what prevents a package from being published. Returns one line per problem, starting with the package's name.
 */
export function manifestProblems(workspace: Workspace, { folder, manifest }: WorkspacePackage): string[] {
  const problems = [
    ...identityProblems(workspace, manifest),
    ...versionProblems(workspace, manifest),
    ...descriptionProblems(workspace, folder, manifest),
    ...exportProblems(manifest),
    ...fileProblems(manifest),
    ...INSTALL_SCRIPTS.filter((name) => manifest.scripts?.[name] !== undefined).map(
      (name) => `scripts.${name} would run when the package is installed`,
    ),
  ];
  return problems.map((problem) => `${manifest.name}: ${problem}`);
}

/**
 * Finds problems of a private package, such as internal dependencies that are not `*`: a release does not update
 * private
 * packages. Returns one line per problem.
 */
export function privateManifestProblems(workspace: Workspace, { manifest }: WorkspacePackage): string[] {
  const ranges = internalDependencies(workspace, manifest)
    .filter(({ range }) => range !== '*')
    .map(({ name, range }) => `private, so it depends on ${name} by "*", not "${range}"`);
  return [...identityProblems(workspace, manifest), ...ranges].map((problem) => `${manifest.name}: ${problem}`);
}

/** Problems of keywords and author, which every manifest has. */
function identityProblems({ manifest: root }: Workspace, manifest: PackageManifest): string[] {
  const problems: string[] = [];
  if ((manifest.keywords ?? []).length < 2) problems.push('keywords are missing');
  if (manifest.author === undefined || manifest.author !== root.author)
    problems.push(`author is ${manifest.author}; that of the root is ${root.author}`);
  return problems;
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

/** The version of the first package. A release does not change the root manifest. */
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
  if (!manifest.description?.endsWith('.')) problems.push('description must be a sentence that ends in a full stop');
  if (manifest.type !== 'module') problems.push('type is not "module"');
  if (manifest.license !== root.license)
    problems.push(`license is ${manifest.license}; that of the repository is ${root.license}`);
  if (manifest.engines?.node !== root.engines?.node)
    problems.push(`engines.node is ${manifest.engines?.node}; that of the repository is ${root.engines?.node}`);
  if (manifest.publishConfig?.access !== 'public')
    problems.push('publishConfig.access is not "public": npm publishes scoped packages privately');
  for (const field of ['homepage', 'bugs'] as const)
    if (JSON.stringify(manifest[field]) !== JSON.stringify(root[field]))
      problems.push(
        `${field} is ${JSON.stringify(manifest[field])}; that of the root is ${JSON.stringify(root[field])}`,
      );
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
      `exports["${subpath}"] has the conditions ${Object.keys(target).join(', ')}; ` +
        `expected ${CONDITIONS.join(', ')}, in this order`,
    ];
  const { types = '', default: code = '' } = target;
  const [, path] = /^\.\/bundle\/([\w/-]+)\.js$/.exec(code) ?? [];
  if (path !== undefined && types === `./dist/${path}.d.ts`) return [];
  return [`exports["${subpath}"] resolves to ${types} and ${code}; expected ./dist/X.d.ts and ./bundle/X.js`];
}

function fileProblems(manifest: PackageManifest): string[] {
  return FILES.filter((entry) => !manifest.files?.includes(entry)).map((entry) => `files has no "${entry}"`);
}
