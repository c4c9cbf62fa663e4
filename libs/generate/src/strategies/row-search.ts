import type { Decoding } from '@blip2/interfaces';

import type { GenerationStep, NewToken } from '../generate-output.ts';
import type { SearchSettings } from '../search-settings.ts';
import { createChooser, createOutput, createRow } from './row.ts';
import { createScoreLog } from './score-log.ts';
import type { Search } from './search.ts';

/**
 * Greedy search or sampling: every row on its own, one token at a time. Reference: `GenerationMixin._sample`.
 * Rows that have ended leave the decoding; only where scores of every step are wanted do they go on with pad tokens, as
 * in the reference.
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
    let logits = decoding.logits;
    let live = rows;
    let sources = rows.map((row) => Math.floor(row.index / numReturnSequences));
    for (let step = 0; ; step++) {
      signal?.throwIfAborted();
      log.begin(rows.length);
      const isLate = settings.stop.isLate();
      const [, , vocabulary] = logits.dims;
      const tokens = live.flatMap((row, index): NewToken[] => {
        const source = sources[index]!;
        return choose(row, logits.data.subarray(source * vocabulary, (source + 1) * vocabulary), isLate) ?? [];
      });
      yield { step, tokens };
      if (rows.every((row) => row.finishReason)) return;
      const next = live.flatMap((row, index) =>
        log.keepsAny || !row.finishReason ? [{ row, parent: sources[index]! }] : [],
      );
      live = next.map(({ row }) => row);
      const parents = next.map(({ parent }) => parent);
      const isUnchanged = parents.length === logits.dims[0] && parents.every((parent, index) => parent === index);
      signal?.throwIfAborted();
      logits = await decoding.extend({ ids: live.map((row) => [row.ids.at(-1)!]), ...(!isUnchanged && { parents }) });
      sources = live.map((_, index) => index);
    }
  }
  return { steps, output: () => createOutput(rows, settings, log) };
}
