import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { expect, test } from 'vitest';

import { isRunning, processName } from './process-identity.ts';

const [machine = ''] = processName.split('-');

test('processName consists of the machine and the process id', () => {
  expect(processName).toMatch(/^[0-9a-f]{8}-\d+$/);
  expect(processName.endsWith(`-${process.pid}`)).toBe(true);
});

test('isRunning recognizes this process and one that has ended', async () => {
  expect(isRunning(processName)).toBe(true);
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'close');
  expect(isRunning(`${machine}-${child.pid}`)).toBe(false);
});

test.each(['00000000-1', `${machine}-`, `${machine}-1x`, 'free', ''])('isRunning cannot tell about %j', (name) => {
  expect(isRunning(name)).toBeUndefined();
});
