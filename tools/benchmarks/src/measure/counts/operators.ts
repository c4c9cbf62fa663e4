import { isDeepStrictEqual } from 'node:util';

import { Blip2, Blip2Retrieval, type LoadOptions } from '@blip2/blip2';
import type { PrecisionChoice, SessionFactory } from '@blip2/interfaces';
import { decodeModel } from '@blip2/onnx';
import { createSession } from '@blip2/runtime';

import { repositoryPath } from '../../repository.ts';

/** Number of nodes by operator. */
export type OperatorCounts = Readonly<Record<string, number>>;

const PRECISIONS: readonly PrecisionChoice[] = ['fp32', 'int8', 'q4', 'fast', 'small'];
const IMAGE = repositoryPath('examples/left-of.png');
const GENERATION = repositoryPath('apps/cli/models/blip2-opt-shapes');
const SEQ2SEQ = repositoryPath('apps/cli/models/blip2-t5-shapes');
const RETRIEVAL = repositoryPath('apps/cli/models/blip2-itm-shapes');

/** Use of a checkpoint that runs each of its graphs. */
const USES: Readonly<Record<string, (options: LoadOptions) => Promise<void>>> = {
  async opt(options) {
    await using blip2 = await Blip2.fromPretrained(GENERATION, options);
    await blip2.caption(IMAGE, { maxNewTokens: 3 });
  },
  async t5(options) {
    await using blip2 = await Blip2.fromPretrained(SEQ2SEQ, options);
    await blip2.caption(IMAGE, { maxNewTokens: 3 });
  },
  async itm(options) {
    const matcher = await Blip2Retrieval.fromPretrained(RETRIEVAL, options);
    await matcher.match(IMAGE, 'a triangle');
    await matcher.dispose();
  },
};

/**
 * Nodes of every graph that a caption and a match run, by `CHECKPOINT PRECISION GRAPH` and operator. `convertedDir`
 * holds converted weights.
 */
export async function operatorCounts(convertedDir: string): Promise<Record<string, OperatorCounts>> {
  const counts: Record<string, OperatorCounts> = {};
  for (const [name, use] of Object.entries(USES))
    for (const dtype of PRECISIONS) {
      const noting: SessionFactory = async (model, options) => {
        // Kernels of other machines need graphs with 7 bits, of the same operators.
        const operators = await countOperators(model.serialize({ activationBits: 8 }));
        counts[freeName(`${name} ${dtype} ${model.name}`, operators, counts)] = operators;
        return createSession(model, options);
      };
      await use({ dtype, convertedDir, threads: 1, createSession: noting });
    }
  return sorted(counts);
}

/** A second graph of the same name with other operators gets a number. */
function freeName(
  name: string,
  operators: OperatorCounts,
  counts: Readonly<Record<string, OperatorCounts>>,
  number = 1,
): string {
  const numbered = number === 1 ? name : `${name} ${number}`;
  const taken = counts[numbered];
  return taken === undefined || isDeepStrictEqual(taken, operators)
    ? numbered
    : freeName(name, operators, counts, number + 1);
}

async function countOperators(bytes: Uint8Array): Promise<OperatorCounts> {
  const { graph } = await decodeModel(bytes);
  const counts: Record<string, number> = {};
  for (const { opType } of graph?.node ?? []) counts[opType] = (counts[opType] ?? 0) + 1;
  return sorted(counts);
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
