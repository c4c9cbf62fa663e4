import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

import { readWorkspace } from '@blip2/publish';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
/** Timeout in milliseconds; it takes about five seconds on two cores. */
const TIMEOUT = 120_000;

test(
  'nx release sets one version in all packages and their dependencies, and pushes and publishes nothing',
  () => {
    const nx = join(root, 'node_modules/nx/dist/bin/nx.js');
    const report = stripVTControlCharacters(
      execFileSync(process.execPath, [nx, 'release', '9.8.7', '--dry-run', '--skip-publish'], {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, NX_DAEMON: 'false', NX_NO_CLOUD: 'true', NO_COLOR: '1', FORCE_COLOR: '0' },
      }),
    );
    // The change of a manifest starts at its name. The order of the lines with file names varies between runs.
    const changes = report.split(/^ +"name": "/m);
    for (const { manifest } of readWorkspace(root).published) {
      const change = changes.find((part) => part.startsWith(`${manifest.name}",`)) ?? '';
      const internal = [manifest.dependencies, manifest.peerDependencies, manifest.devDependencies]
        .flatMap((kind) => Object.keys(kind ?? {}))
        .filter((name) => name.startsWith('@blip2/'));
      expect([...change.matchAll(/^\+\s+"([^"]+)": "9\.8\.7"/gm)].map(([, name]) => name)).toEqual([
        'version',
        ...internal,
      ]);
    }
    expect(report).toMatch(/CHANGELOG\.md/);
    expect(report).not.toMatch(/pushing to|git remote|creating github release/i);
  },
  TIMEOUT,
);
