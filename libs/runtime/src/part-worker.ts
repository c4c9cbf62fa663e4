/** Entry of the worker thread of a part host. */
import { parentPort } from 'node:worker_threads';

import { servePart } from './part-server.ts';

// No run is in progress when this is called, so the thread may end: what a part left open must not keep it.
if (parentPort) servePart(parentPort, () => process.exit(0));
