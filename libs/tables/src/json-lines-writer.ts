import { mustBe } from '@blip2/interfaces';

import { type Destination, openTarget, type RowTarget } from './row-target.ts';

/** Writes one JSON object per line. One of `finish` and `discard` must be called in the end. */
export interface ObjectWriter {
  /** Typed arrays are written as lists; numbers that are not finite as null. */
  write(object: Readonly<Record<string, unknown>>): Promise<void>;
  /** Completes the output. Without objects, none is created. */
  finish(): Promise<void>;
  discard(): Promise<void>;
}

/** A file of JSON lines (UTF-8, line feeds). */
export function jsonLinesWriter(destination: Destination): ObjectWriter {
  let opened: RowTarget | undefined;
  const taken = (): RowTarget | undefined => {
    const closing = opened;
    opened = undefined;
    return closing;
  };
  return {
    async write(object) {
      if (typeof object !== 'object' || (object as unknown) === null || Array.isArray(object))
        throw mustBe('object', 'an object', object);
      opened ??= await openTarget(destination);
      await opened.write(`${JSON.stringify(object, asList)}\n`);
    },
    async finish() {
      const target = taken();
      try {
        await target?.commit();
      } catch (error) {
        await target?.discard();
        throw error;
      }
    },
    discard: async () => taken()?.discard(),
  };
}

function asList(_: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as Float32Array) : value;
}
