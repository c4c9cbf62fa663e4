import { isError } from '@blip2/interfaces';

import type { Notice, Reply, Report, Request } from '../part-messages.ts';

/** A connection to the thread or process of the parts: messages in both directions. */
export interface PartChannel {
  /** Sends a copy of a message. Throws if it cannot be copied. */
  post(message: Request | Notice): void;
  /** Keeps this process alive, or not, while the channel is open. */
  setReferenced(isReferenced: boolean): void;
  /** Ends a process at once. A thread cannot be ended during a run: it ends by itself, as after an `end` notice. */
  kill(): void;
}

/** Why a thread or process ended. */
export interface ChannelLoss {
  readonly got: string;
  /** The signal that ended a process. */
  readonly signal?: string;
  readonly cause?: unknown;
}

/** Events of a channel. */
export interface ChannelEvents {
  onMessage(message: Reply | Report): void;
  /** An error, such as an uncaught exception or exhausted memory. `onExit` follows, except for unreadable messages. */
  onError(loss: ChannelLoss): void;
  onExit(loss: ChannelLoss): void;
}

/** Starts a thread or process and connects to it. */
export type OpenChannel = (events: ChannelEvents) => PartChannel;

/** A loss caused by a thrown value. */
export function lossOf(error: unknown): ChannelLoss {
  return { got: isError(error) ? `${error.name}: ${error.message}` : String(error), cause: error };
}
