import { Blip2Error } from '@blip2/interfaces';

/** Whether a part was lost with its worker. */
export function isWorkerFailure(error: unknown): boolean {
  return error instanceof Blip2Error && error.code === 'WORKER_FAILED';
}
