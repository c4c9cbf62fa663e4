/**
 * Captions an image without end with a model, until the process ends itself after some milliseconds. Arguments: the
 * model, the image, where its parts run, how the process ends, and when.
 */
import { isMainThread, Worker } from 'node:worker_threads';

import { Blip2 } from '@blip2/blip2';

import { type ExitPlace, type ExitWay, LOUD_ERROR } from './exit-scenario.ts';

const [model = '', image = '', place = 'worker', way = 'exit', delay = '0'] = process.argv.slice(2);

function end(how: ExitWay): void {
  if (how === 'exit') process.exit(7);
  if (how === 'rejection') return void Promise.reject(new RangeError(LOUD_ERROR));
  throw new RangeError(LOUD_ERROR);
}

if (isMainThread) setTimeout(() => end(way as ExitWay), Number(delay));
if (isMainThread && (place as ExitPlace) === 'thread') {
  // The library in a thread of its user.
  const options = { argv: process.argv.slice(2) };
  await new Promise((_, reject) => new Worker(new URL(import.meta.url), options).on('error', reject));
} else {
  const isolate = place === 'process' ? 'process' : 'worker';
  await using loaded = await Blip2.fromPretrained(model, { isolate });
  for (;;) await loaded.caption(image, { maxNewTokens: 8 });
}
