import { Blip2Error, defined } from '@blip2/interfaces';

/**
 * Adds to the error of loading an InstructBLIP checkpoint which commands can use it.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` with the hint; any other error of `loading` unchanged.
 */
export async function withInstructBlipHint<T>(loading: Promise<T>): Promise<T> {
  return loading.catch((cause: unknown) => {
    const isInstructBlip =
      cause instanceof Blip2Error &&
      cause.code === 'UNSUPPORTED_ARCHITECTURE' &&
      cause.details.subject?.startsWith('instructblip');
    if (!isInstructBlip) throw cause;
    const { where } = cause.details;
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'This command does not support InstructBLIP checkpoints', {
      ...defined({ where }),
      expected: 'BLIP-2',
      got: 'InstructBLIP',
      fix: 'caption, ask, chat, rank, embed and inspect support it',
      cause,
    });
  });
}
