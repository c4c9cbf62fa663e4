import type { Tarball } from './tarball.ts';

const KB = 1000;
/** Maximum bytes of a packed library; the largest has about 100 kB of code. */
const LIBRARY_LIMIT = 150 * KB;
/** Maximum bytes of the packed command: three demo checkpoints of about 4.2 MB each, and 150 kB of code. */
const COMMAND_LIMIT = 14_000 * KB;

const COMMAND = '@blip2/cli';
/** The package with the web page. */
const SERVER = '@blip2/server';
/** The package whose fakes are published. */
const TESTING = '@blip2/testing';

const REQUIRED = ['package.json', 'LICENSE', 'NOTICE', 'bundle/index.js', 'dist/index.d.ts'];
const LIBRARY_FILE = /^(package\.json|LICENSE|NOTICE|README\.md|bundle\/.+\.js|dist\/.+\.d\.ts)$/;
const COMMAND_FILE = /^(bin\/blip2\.js|models\/[\w-]+\/([\w-]+\.(json|txt)|README\.md|model\.safetensors))$/;
const PAGE_FILE = /^page\/dist\/([\w-]+\.(html|svg|ico|txt)|assets\/[\w-]+\.(js|css|webp))$/;
const PAGE_REQUIRED = ['page/dist/index.html', 'page/dist/third-party-licences.txt'];
const TEST_FILE = /\.(test|fixture|test-data|e2e)\.|\/(fixtures?|evaluation|tests?)\//;
const FAKES = /\/fakes?\//;

/** Finds unwanted and missing files in a tarball, and excessive sizes. Returns one line per problem. */
export function tarballProblems({
  package: {
    manifest: { name },
  },
  paths,
  size,
}: Tarball): string[] {
  const limit = name === COMMAND ? COMMAND_LIMIT : LIBRARY_LIMIT;
  const tests = paths.filter((path) => TEST_FILE.test(path) || (name !== TESTING && FAKES.test(path)));
  const own = name === COMMAND ? COMMAND_FILE : name === SERVER ? PAGE_FILE : undefined;
  const foreign = paths.filter((path) => !LIBRARY_FILE.test(path) && own?.test(path) !== true);
  const required = [...REQUIRED, ...(name === SERVER ? PAGE_REQUIRED : [])];
  return [
    ...tests.map((path) => `${name}: ${path} serves tests only`),
    ...foreign.map((path) => `${name}: ${path} does not belong into the package`),
    ...required.filter((path) => !paths.includes(path)).map((path) => `${name}: ${path} is missing`),
    ...(size > limit ? [`${name}: ${size} bytes packed, ${limit} are allowed`] : []),
  ];
}
