import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

test('the API reference is generated without a warning', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typedoc/bin/typedoc'), '--emit', 'none', '--logLevel', 'Warn'],
    { cwd: root, encoding: 'utf8' },
  );
  expect({ status, printed: `${stdout}${stderr}`.trim() }).toEqual({ status: 0, printed: '' });
}, 180_000);
