import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { isRunning, processName } from './process-identity.ts';

const [machine = ''] = processName.split('-');

test('processName consists of the machine, the start time and the process id', () => {
  expect(processName).toMatch(/^[0-9a-f]{8}-\d+$/);
  expect(Number(processName.slice(-7))).toBe(process.pid);
});

test.runIf(process.platform === 'linux')(
  'isRunning recognizes another process with a reused id by its start time',
  () => {
    const start = processName.slice(machine.length + 1, -7);
    expect(isRunning(`${machine}-${Number(start) - 1}${processName.slice(-7)}`)).toBe(false);
  },
);

test.runIf(process.platform === 'linux')(
  'isRunning is false for a killed process whose parent has not read its exit status',
  async () => {
    const parent = spawn('/bin/sh', ['-c', 'sleep 0 & echo $!; exec sleep 30'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [output] = await once(parent.stdout, 'data');
    const id = Number(String(output));
    const isZombie = (): boolean => / Z /.test(readFileSync(`/proc/${id}/stat`, 'utf8'));
    while (!isZombie()) await sleep(5);
    expect(isRunning(`${machine}-${id}`)).toBe(false);
    parent.kill();
    await once(parent, 'close');
  },
);

test('isRunning recognizes this process and one that has ended', async () => {
  expect(isRunning(processName)).toBe(true);
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'close');
  expect(isRunning(`${machine}-${child.pid}`)).toBe(false);
});

test.each(['00000000-1', `${machine}-`, `${machine}-1x`, 'free', ''])('isRunning cannot tell about %j', (name) => {
  expect(isRunning(name)).toBeUndefined();
});
