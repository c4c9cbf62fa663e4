import { readFileSync } from 'node:fs';

import { checkPackage, createPackageFromTarballData, type Problem, type ResolutionKind } from '@arethetypeswrong/core';
import { filterProblems } from '@arethetypeswrong/core/problems';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

/**
 * The module resolutions that an ESM package supports: `import` in Node, and bundlers. `require` is not supported.
 */
const RESOLUTIONS: readonly ResolutionKind[] = ['node16-esm', 'bundler'];

/** Runs publint (strict) and Are the Types Wrong on a tarball. Returns one line per problem. */
export async function lintTarball(name: string, file: string): Promise<string[]> {
  const bytes = readFileSync(file);
  return [...(await publintProblems(name, bytes)), ...(await typeProblems(name, bytes))];
}

async function publintProblems(name: string, bytes: Buffer): Promise<string[]> {
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  if (!(tarball instanceof ArrayBuffer)) return [`${name}: publint cannot read shared memory`];
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  return messages.map(
    (message) => `${name}: publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`,
  );
}

async function typeProblems(name: string, bytes: Buffer): Promise<string[]> {
  const analysis = await checkPackage(createPackageFromTarballData(bytes));
  if (analysis.types === false) return [`${name}: has no types`];
  const problems = new Set<Problem>(
    RESOLUTIONS.flatMap((resolutionKind) => filterProblems(analysis, { resolutionKind })),
  );
  return [...problems].map((problem) => `${name}: types: ${describe(problem)}`);
}

function describe(problem: Problem): string {
  const where = 'entrypoint' in problem ? ` at ${problem.entrypoint} (${problem.resolutionKind})` : '';
  return `${problem.kind}${where}`;
}
