import type { Decoding } from '@blip2/interfaces';

import type { GenerationStep } from '../generate-output.ts';
import type { SearchSettings } from '../search-settings.ts';
import { createChooser, createOutput, createRow } from './row.ts';
import { createScoreLog } from './score-log.ts';
import type { Search } from './search.ts';

/**
 * Creates a greedy search, or with `doSample` multinomial sampling. Source: HF `GenerationMixin._sample`. Rows that
 * have ended are removed from the decoding, unless the logits of every step are requested: then they continue with pad
 * tokens, as in HF.
 */
export function createRowSearch(settings: SearchSettings): Search {
  const { promptIds, numReturnSequences, signal } = settings;
  const rows = promptIds.flatMap((ids, prompt) =>
    Array.from({ length: numReturnSequences }, (_, copy) =>
      createRow(ids, prompt * numReturnSequences + copy, settings),
    ),
  );
  const log = createScoreLog(settings);
  const choose = createChooser(settings, log);

  async function* steps(decoding: Decoding): AsyncGenerator<GenerationStep, void, undefined> {
    let { logits } = decoding;
    /** Rows that are still decoded, and their rows in `logits`. */
    let live = rows.map((row) => ({ row, source: Math.floor(row.index / numReturnSequences) }));
    for (let step = 0; ; step++) {
      signal?.throwIfAborted();
      log.begin(rows.length);
      const isLate = settings.stop.isLate();
      const [logitRows, , vocabulary] = logits.dims;
      const { data } = logits;
      const tokens = live.flatMap(
        ({ row, source }) => choose(row, data.subarray(source * vocabulary, (source + 1) * vocabulary), isLate) ?? [],
      );
      yield { step, tokens };
      if (rows.every((row) => row.finishReason)) return;
      const next = live.filter(({ row }) => log.isEnabled || !row.finishReason);
      const isUnchanged = next.length === logitRows && next.every(({ source }, index) => source === index);
      signal?.throwIfAborted();
      logits = await decoding.extend({
        ids: next.map(({ row }) => row.ids.slice(-1)),
        ...(!isUnchanged && { parents: next.map(({ source }) => source) }),
      });
      live = next.map(({ row }, index) => ({ row, source: index }));
    }
  }
  return { steps, output: () => createOutput(rows, settings, log) };
}
