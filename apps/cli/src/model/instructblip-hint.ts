import { Blip2Error } from '@blip2/interfaces';

/**
 * Loads a BLIP-2 checkpoint for a command that reads no other. @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` that names
 * the commands for InstructBLIP, where it is one.
 */
export async function namingTakers<T>(loading: Promise<T>): Promise<T> {
  return loading.catch((cause: unknown) => {
    const isInstructed =
      cause instanceof Blip2Error &&
      cause.code === 'UNSUPPORTED_ARCHITECTURE' &&
      cause.details.subject?.startsWith('instructblip');
    if (!isInstructed) throw cause;
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The command does not read checkpoints of InstructBLIP', {
      ...(cause.details.where !== undefined && { where: cause.details.where }),
      expected: 'BLIP-2',
      got: 'InstructBLIP',
      fix: 'caption, ask, chat, rank and inspect read it',
      cause,
    });
  });
}
