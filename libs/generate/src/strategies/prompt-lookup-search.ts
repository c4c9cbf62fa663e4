import { Blip2Error, type Decoding, type Logits, type TokenIds } from '@blip2/interfaces';

import type { GenerationStep } from '../generate-output.ts';
import type { SearchSettings } from '../search-settings.ts';
import { createChooser, createOutput, createRow } from './row.ts';
import { createScoreLog } from './score-log.ts';
import type { Search } from './search.ts';

/**
 * Longest run of last tokens that is looked for further up. Reference: `max_matching_ngram_size` of
 * `PromptLookupCandidateGenerator`.
 */
const LONGEST_MATCH = 2;

/**
 * Greedy search that guesses: where the last tokens have occurred before, the tokens that followed them there are read
 * along with the newest one, and those
 * that greedy search would have chosen are kept. The tokens are those of greedy search; only the number of runs of the
 * model differs.
 * One prompt at a time, for rows that keep different numbers of tokens cannot share a cache. Reference:
 * `prompt_lookup_num_tokens`.
 */
export function createPromptLookupSearch(settings: SearchSettings): Search {
  const { promptIds, rows, promptLookupNumTokens, maxNewTokens, maxPositions, signal } = settings;
  if (rows > 1)
    throw new Blip2Error('INVALID_ARGUMENT', 'Prompt lookup reads one prompt at a time', {
      where: 'promptLookupNumTokens',
      expected: '1 prompt',
      got: String(rows),
      fix: 'Leave it out for batches',
    });
  const row = createRow(promptIds[0] ?? [], 0, settings);
  const log = createScoreLog(settings);
  const choose = createChooser(settings, log);

  async function* steps(decoding: Decoding): AsyncGenerator<GenerationStep, void, undefined> {
    let { logits } = decoding;
    let guess: TokenIds = [];
    /** Positions read that are there to stay; the newest token is not among them. */
    let read = decoding.length;
    for (let step = 0; ;) {
      for (const [position, scores] of positionsOf(logits).entries()) {
        signal?.throwIfAborted();
        log.begin(1);
        const tokens = choose(row, scores, settings.stop.isLate()) ?? [];
        yield { step: step++, tokens };
        if (row.finishReason) return;
        if (row.ids.at(-1) !== guess[position]) break;
        read++;
      }
      signal?.throwIfAborted();
      if (read < decoding.length) await decoding.crop(read);
      const room = Math.min(maxNewTokens - row.newIds.length, maxPositions - read) - 1;
      guess = lookUp(row.ids, Math.min(promptLookupNumTokens, room));
      logits = await decoding.extend({ ids: [[row.ids.at(-1)!, ...guess]], logits: 'all' });
      read++;
    }
  }
  return { steps, output: () => createOutput([row], settings, log) };
}

/** What followed the last tokens where they occurred first: the longest match counts. */
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

/** Scores of each position of the only row. */
function positionsOf({ dims: [, positions, vocabulary], data }: Logits): Float32Array[] {
  return Array.from({ length: positions }, (_, position) =>
    data.subarray(position * vocabulary, (position + 1) * vocabulary),
  );
}
