import { statfs } from 'node:fs/promises';

import { Blip2Error } from '@blip2/interfaces';

/**
 * Refuses to start a write that cannot finish. If the system does not report free space, the write is allowed.
 * @throws Blip2Error `WRITE_FAILED` if the file system of `folder` has fewer than `bytes` bytes free.
 */
export async function requireSpace(folder: string, bytes: number): Promise<void> {
  const space = await statfs(folder).catch(() => undefined);
  if (space === undefined || space.blocks === 0) return;
  const free = space.bavail * space.bsize;
  if (free < bytes)
    throw new Blip2Error('WRITE_FAILED', 'Not enough free space', {
      expected: `${bytes} bytes`,
      got: `${free}`,
      where: folder,
      fix: 'Free some space, or choose another folder',
    });
}
