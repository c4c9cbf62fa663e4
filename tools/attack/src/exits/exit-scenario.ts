/** How a process ends. */
export type ExitWay = 'exit' | 'exception' | 'rejection';
/** Where the parts of its model run. `thread`: in a thread of the program itself. */
export type ExitPlace = 'worker' | 'process' | 'thread';

/** What the error says that nobody catches. */
export const LOUD_ERROR = 'nobody catches this';

/** A program that ends itself at random moments while parts of a model run. */
export interface ExitScenario {
  readonly name: string;
  /** What holds after every run, in one sentence. */
  readonly promise: string;
  readonly way: ExitWay;
  readonly place: ExitPlace;
  readonly exitCode: number;
}

const WAYS: readonly (readonly [ExitWay, string, number])[] = [
  ['exit', '`process.exit(7)`', 7],
  ['exception', 'An error that nobody catches', 1],
  ['rejection', 'A promise whose rejection nobody handles', 1],
];
const PLACES: readonly (readonly [ExitPlace, string])[] = [
  ['worker', 'parts run in worker threads'],
  ['process', 'parts run in child processes'],
  ['thread', 'the library runs in a thread of the program'],
];

export const EXIT_SCENARIOS: readonly ExitScenario[] = PLACES.flatMap(([place, when]) =>
  WAYS.map(([way, what, exitCode]) => ({
    name: `${way}-${place}`,
    promise: `${what} ends the program with its code, never by a signal, while ${when}; no process stays.`,
    way,
    place,
    exitCode,
  })),
);
