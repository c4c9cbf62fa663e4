import { isAbsolute, normalize, sep } from 'node:path';

import { type HubSession, hubSettings, prepareDownload } from '@blip2/hub';
import fc, { type Arbitrary } from 'fast-check';

import { BrokenPromise } from '../broken-promise.ts';
import { damagedBytes, damagedJson } from '../damage.ts';
import { defineTarget, type Target } from '../target.ts';
import { inTemporaryFolder } from '../temporary-folder.ts';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const REVISION = { sha: COMMIT, cardData: { license: 'mit' }, tags: ['license:mit'], siblings: [] };
const file = (path: string, size: number): unknown => ({ type: 'file', path, size, oid: COMMIT });
const TREE = [
  file('config.json', 700),
  file('tokenizer.json', 70_000),
  file('preprocessor_config.json', 400),
  { ...(file('model.safetensors', 135) as object), lfs: { oid: 'a'.repeat(64), size: 5000, pointerSize: 135 } },
  { type: 'directory', path: 'onnx', size: 0, oid: COMMIT },
];
const TREE_PATHS = ['../x', '/etc/passwd', 'a/../../b', 'C:\\x', '.', '', 'a\u0000b', 'a/./b', '~/x', '..\\x', 'a//b'];

interface Case {
  readonly revision: Uint8Array;
  readonly tree: Uint8Array;
  readonly link: string | undefined;
}

function responses(sound: unknown): Arbitrary<Uint8Array> {
  const bytes = Buffer.from(JSON.stringify(sound));
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant(bytes) },
    { weight: 4, arbitrary: damagedJson([sound]).map((json) => Buffer.from(JSON.stringify(json) ?? '')) },
    { weight: 1, arbitrary: damagedBytes([bytes]) },
  );
}

const cases: Arbitrary<Case> = fc.record({
  revision: responses(REVISION),
  tree: fc.oneof(
    { weight: 3, arbitrary: responses(TREE) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...TREE_PATHS).map((path) => Buffer.from(JSON.stringify([...TREE, file(path, 3)]))),
    },
  ),
  link: fc.option(
    fc.constantFrom(
      '<https://hub.invalid/next>; rel="next"',
      '<http://127.0.0.1/x>; rel="next"',
      '<>; rel="next"',
      'x',
    ),
    { nil: undefined },
  ),
});

/** Answers of the Hub: every file of an accepted plan has its place below the snapshot folder. */
export const hubTarget: Target<unknown> = defineTarget<Case>({
  name: 'hub',
  promise: 'An answer of the Hub is refused with a code, or leads to files below the snapshot folder.',
  open: () =>
    inTemporaryFolder(async (cacheDir) => {
      const settings = { ...(await hubSettings({ cacheDir }, {})), endpoint: 'https://hub.invalid' };
      return {
        cases,
        run: async ({ revision, tree, link }) => {
          const requested: string[] = [];
          const session: HubSession = {
            settings,
            signal: undefined,
            io: {
              fetch: async (url) => {
                requested.push(url);
                const isTree = url.includes('/tree/');
                const headers = new Headers({ 'content-type': 'application/json' });
                if (isTree && link !== undefined && requested.length < 4) headers.set('link', link);
                return new Response(Buffer.from(isTree ? tree : revision), { headers });
              },
              sleep: async () => undefined,
              random: () => 0.5,
              write: () => Promise.reject(new Error('a plan writes nothing')),
            },
          };
          const { plan } = await prepareDownload(session, 'owner/name', 'main', 'model');
          for (const { path } of plan.files) expectInside(path);
          const foreign = requested.find((url) => new URL(url).host !== 'hub.invalid');
          if (foreign !== undefined) throw new BrokenPromise(`a request to ${foreign}`);
        },
      };
    }),
});

function expectInside(path: string): void {
  const plain = normalize(path);
  if (isAbsolute(path) || plain === '..' || plain.startsWith(`..${sep}`) || path.includes('\\') || path.includes('\0'))
    throw new BrokenPromise(`the plan contains ${JSON.stringify(path)}`);
}
