/** Entry of an image thread: performs the tasks that it is sent, also several at a time. */
import { type MessagePort, parentPort } from 'node:worker_threads';

import { loadSharp } from '../images/load-sharp.ts';
import { encodeError, type ImageReply, type ImageRequest } from './image-messages.ts';
import { type ImageResult, performTask } from './image-task.ts';

if (parentPort) serveTasks(parentPort);

function serveTasks(port: MessagePort): void {
  const running = new Map<number, AbortController>();
  port.on('message', (request: ImageRequest) => {
    if ('abort' in request) return running.get(request.abort)?.abort();
    const { id, task } = request;
    const controller = new AbortController();
    running.set(id, controller);
    void performTask(task, () => controller.signal.throwIfAborted())
      .then(
        (result) => reply(port, { id, result }, buffersOf(result)),
        (error: unknown) => reply(port, { id, error: encodeError(error) }, []),
      )
      .finally(() => running.delete(id));
  });
  reply(port, { ready: true }, []);
  // Loaded while the first image is read. Errors are those of the first task.
  loadSharp().catch(() => {});
}

function buffersOf({ image: { data } }: ImageResult): ArrayBuffer[] {
  return data.buffer instanceof ArrayBuffer ? [data.buffer] : [];
}

function reply(port: MessagePort, message: ImageReply, buffers: ArrayBuffer[]): void {
  try {
    port.postMessage(message, buffers);
  } catch {
    // Memory of libvips cannot be transferred: it is copied.
    port.postMessage(message);
  }
}
