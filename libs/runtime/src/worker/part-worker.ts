/** Entry of the worker thread of a part host. */
import { parentPort } from 'node:worker_threads';

import { servePart } from './part-server.ts';

// No run is in progress when `exit` is called. Exit even if a part left a timer or handle open.
if (parentPort) servePart(parentPort, () => process.exit(0));
