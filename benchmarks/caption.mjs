/** Loads a checkpoint and captions a picture of 10 tokens several times: node benchmarks/caption.mjs FOLDER PICTURE [RUNS] [DTYPE]. Prints one JSON line. */
import { readFileSync } from 'node:fs';
import { Blip2 } from '@blip2/blip2';

const [folder, picture, runs = '3', dtype = 'fp32'] = process.argv.slice(2);
/** Anonymous memory: mapped weights are the file cache's, and given back under pressure. */
const memory = (name) => Number(readFileSync('/proc/self/status', 'utf8').match(new RegExp(`${name}:\\s+(\\d+)`))?.[1]) / 1024;

const beforeLoad = memory('RssAnon');
const started = performance.now();
const blip2 = await Blip2.fromPretrained(folder, { dtype });
const loadMs = performance.now() - started;
const afterLoad = memory('RssAnon');
const captionMs = [];
for (let run = 0; run <= Number(runs); run++) {
  const start = performance.now();
  await blip2.caption(picture, { minNewTokens: 10, maxNewTokens: 10 });
  // The first one opens the sessions and reads the weights from disk.
  if (run > 0) captionMs.push(performance.now() - start);
}
console.log(JSON.stringify({ side: 'ours', setting: dtype, loadMs, captionMs, rssAnonLoadMiB: afterLoad - beforeLoad, rssAnonMiB: memory('RssAnon'), peakMiB: memory('VmHWM') }));
await blip2.dispose();
