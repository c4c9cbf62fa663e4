import { Blip2Error, type Decoding, type Logits, type TokenIds } from '@blip2/interfaces';

import type { GenerationStep } from '../generate-output.ts';
import type { SearchSettings } from '../search-settings.ts';
import { createChooser, createOutput, createRow } from './row.ts';
import { createScoreLog } from './score-log.ts';
import type { Search } from './search.ts';

/** Longest n-gram that is looked up. Source: HF `PromptLookupCandidateGenerator`, `max_matching_ngram_size`. */
const LONGEST_MATCH = 2;

/**
 * Creates a greedy search with prompt lookup: where the last tokens have occurred before, the tokens that followed them
 * become a draft, which is decoded together with the newest token and kept as far as greedy search selects the same
 * tokens. The output is that of greedy search; only the number of forward passes differs. Supports a single prompt,
 * because rows that keep different numbers of tokens cannot share a cache. Source: HF `prompt_lookup_num_tokens`.
 * @throws Blip2Error `INVALID_ARGUMENT` for several prompts.
 */
export function createPromptLookupSearch(settings: SearchSettings): Search {
  const { promptIds, rows, promptLookupNumTokens, maxNewTokens, maxPositions, signal } = settings;
  if (rows > 1)
    throw new Blip2Error('INVALID_ARGUMENT', 'promptLookupNumTokens supports a single prompt only', {
      argument: 'promptLookupNumTokens',
      expected: '1 prompt',
      got: String(rows),
      fix: 'Leave it out for batches',
    });
  const row = createRow(promptIds[0] ?? [], 0, settings);
  const log = createScoreLog(settings);
  const choose = createChooser(settings, log);

  async function* steps(decoding: Decoding): AsyncGenerator<GenerationStep, void, undefined> {
    let { logits } = decoding;
    let draft: TokenIds = [];
    /** Confirmed positions in the cache; the newest token is not one of them. */
    let confirmed = decoding.length;
    for (let step = 0; ;) {
      for (const [position, positionLogits] of positionsOf(logits).entries()) {
        signal?.throwIfAborted();
        log.begin(1);
        const tokens = choose(row, positionLogits, settings.stop.isLate()) ?? [];
        yield { step: step++, tokens };
        if (row.finishReason) return;
        if (row.ids.at(-1) !== draft[position]) break;
        confirmed++;
      }
      signal?.throwIfAborted();
      if (confirmed < decoding.length) await decoding.crop(confirmed);
      const room = Math.min(maxNewTokens - row.newIds.length, maxPositions - confirmed) - 1;
      draft = lookUp(row.ids, Math.min(promptLookupNumTokens, room));
      logits = await decoding.extend({ ids: [[...row.ids.slice(-1), ...draft]], logits: 'all' });
      confirmed++;
    }
  }
  return { steps, output: () => createOutput([row], settings, log) };
}

/** The tokens that followed the first occurrence of the last tokens; longer matches take precedence. */
function lookUp(ids: TokenIds, count: number): TokenIds {
  if (count < 1) return [];
  for (let length = Math.min(LONGEST_MATCH, ids.length - 1); length > 0; length--) {
    const suffix = ids.slice(-length);
    for (let start = 0; start + length < ids.length; start++) {
      if (suffix.every((id, offset) => ids[start + offset] === id))
        return ids.slice(start + length, start + length + count);
    }
  }
  return [];
}

/** Logits of each position of the only row. */
function positionsOf({ dims: [, positions, vocabulary], data }: Logits): Float32Array[] {
  return Array.from({ length: positions }, (_, position) =>
    data.subarray(position * vocabulary, (position + 1) * vocabulary),
  );
}
