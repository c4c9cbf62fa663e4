import { parseArgs } from 'node:util';

/** The arguments of a command that runs something many times. */
export interface RunArguments {
  /** How many times. */
  readonly count: number;
  readonly seed: number;
  /** Text in the names of what is run; `''` for everything. */
  readonly only: string;
  /** The file to write results to. */
  readonly json: string | undefined;
}

/** Parses `--NAME N`, `--seed N`, `--only TEXT` and `--json FILE`. Returns what is wrong as text. */
export function parseRunArguments(
  args: readonly string[],
  { name, count: defaultCount }: { readonly name: string; readonly count: number },
): RunArguments | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        [name]: { type: 'string', default: String(defaultCount) },
        seed: { type: 'string', default: '1' },
        only: { type: 'string', default: '' },
        json: { type: 'string' },
      },
    });
    const [count, seed] = [Number(values[name]), Number(values['seed'])];
    if (!Number.isSafeInteger(count) || count < 1) return `--${name} must be a positive integer, got ${values[name]}`;
    if (!Number.isSafeInteger(seed)) return `--seed must be an integer, got ${values['seed']}`;
    return { count, seed, only: String(values['only']), json: values['json']?.toString() };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
