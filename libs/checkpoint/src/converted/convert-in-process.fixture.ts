/** Run as a process of its own: converts the model of folder `argv[2]` into `argv[3]`. */
import { openCheckpoint } from '../open-checkpoint.ts';
import { convertedWeights } from './converted-weights.ts';
import { planOf } from './plans.fixture.ts';

const [, , folder = '', convertedDir = ''] = process.argv;
const store = await openCheckpoint(folder);
let steps = 0;
await convertedWeights(store, planOf(store, 'q4'), 'part', { convertedDir, onProgress: () => (steps += 1) });
process.stdout.write(String(steps));
