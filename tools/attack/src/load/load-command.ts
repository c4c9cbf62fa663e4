import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';

import type { CommandOutput } from '../fuzz/fuzz-command.ts';
import { seededRandom } from '../kills/seeded-random.ts';
import { runLoad } from './run-load.ts';
import { startServer } from './served-process.ts';

const USAGE =
  'usage: npm run load -- [--model FOLDER] [--dtype P] [--clients N] [--seconds N] [--seed N] [--json FILE]';
const EXIT = { held: 0, broken: 1, usage: 2 } as const;
/** Precisions whose kernels do not depend on the number of rows. */
const EXACT = ['fp32', 'int8'];
const MAX_WAITING = 64;

interface Given {
  readonly model: string | undefined;
  readonly dtype: string;
  readonly clients: number;
  readonly seconds: number;
  readonly seed: number;
  readonly json: string | undefined;
}

/**
 * `npm run load`: many clients with mixed work at one server. Returns 1 if an answer was lost or given twice, a request
 * failed, memory grew, the event loop stalled or more requests waited than allowed.
 */
export async function loadCommand(args: readonly string[], { print, complain }: CommandOutput): Promise<number> {
  const given = parse(args);
  if (typeof given === 'string') {
    complain(`${given}\n${USAGE}`);
    return EXIT.usage;
  }
  const { model, dtype, clients, seconds, seed, json } = given;
  const queue = ['--max-queue', String(MAX_WAITING)];
  const server = await startServer([...(model === undefined ? [] : [model]), '--dtype', dtype, ...queue]);
  try {
    const result = await runLoad(server, {
      clients,
      seconds,
      randomFor: (client) => seededRandom(seed * 1000 + client + 1),
      maxWaiting: MAX_WAITING,
      isExact: EXACT.includes(dtype),
    });
    const code = await server.end();
    const broken = [...result.broken, ...(code === 0 ? [] : [`the server ended with code ${code}`])];
    const command = `npm run load -- ${args.join(' ')}`.trim();
    const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.versions.node };
    const report = { command, ...machine, model: model ?? 'demo', dtype, clients, ...result, broken };
    print(JSON.stringify(report, undefined, 2));
    if (json !== undefined) await writeFile(json, `${JSON.stringify(report, undefined, 2)}\n`);
    for (const line of broken) complain(`BROKEN: ${line}`);
    return broken.length === 0 ? EXIT.held : EXIT.broken;
  } catch (error) {
    await server.end();
    throw error;
  }
}

function parse(args: readonly string[]): Given | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        model: { type: 'string' },
        dtype: { type: 'string', default: 'fp32' },
        clients: { type: 'string', default: '64' },
        seconds: { type: 'string', default: '600' },
        seed: { type: 'string', default: '1' },
        json: { type: 'string' },
      },
    });
    const { model, dtype, json } = values;
    const [clients, seconds, seed] = [Number(values.clients), Number(values.seconds), Number(values.seed)];
    for (const [name, value] of Object.entries({ clients, seconds }))
      if (!Number.isSafeInteger(value) || value < 1) return `--${name} must be a positive integer`;
    if (!Number.isSafeInteger(seed)) return '--seed must be an integer';
    return { model, dtype, clients, seconds, seed, json };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
