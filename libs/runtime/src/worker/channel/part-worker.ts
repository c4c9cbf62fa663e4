/** Entry of the thread of a part host, in the process of the caller or in a child process. */
import { parentPort, workerData } from 'node:worker_threads';

import { type RunGuard, useRunGuard } from '../exit-guard.ts';
import { servePart } from '../part-server.ts';

/** Data passed to the thread at its start. */
export interface PartWorkerData {
  readonly runGuard: RunGuard;
}

useRunGuard((workerData as PartWorkerData).runGuard);
// No run is in progress when `exit` is called. Exit even if a part left a timer or handle open.
if (parentPort) servePart(parentPort, () => process.exit(0));
