import { expect, test } from 'vitest';

import { eventsOf, linesOf } from './lines.ts';

/** A body whose chunks end anywhere, also inside a character. */
function body(text: string, size: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, (at += size)));
    },
  });
}

async function all<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const list: Value[] = [];
  for await (const value of values) list.push(value);
  return list;
}

test.each([1, 2, 3, 1000])('lines are complete, in chunks of %i bytes', async (size) => {
  expect(await all(linesOf(body('é\r\n\nb\nlast', size)))).toEqual(['é', '', 'b', 'last']);
  expect(await all(linesOf(body('', size)))).toEqual([]);
});

test('events end at [DONE]; comments and other fields are passed over', async () => {
  const text = ': comment\n\nevent: x\ndata: {"a":1}\n\ndata: {"a":2}\n\ndata: [DONE]\n\ndata: {"a":3}\n\n';
  expect(await all(eventsOf(body(text, 5)))).toEqual([{ a: 1 }, { a: 2 }]);
});

test('a reader that stops ends the request', async () => {
  let isCancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('x\n')),
    cancel: () => void (isCancelled = true),
  });
  for await (const line of linesOf(endless)) if (line === 'x') break;
  expect(isCancelled).toBe(true);
});
