/** The lines of a response as they arrive, without their line ends. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = rest.split(/\r?\n/);
      rest = lines.pop() ?? '';
      yield* lines;
      if (done) break;
    }
    if (rest !== '') yield rest;
  } finally {
    // Ends the request if the caller has stopped reading.
    await reader.cancel().catch(() => undefined);
  }
}

const DATA = 'data: ';

/** The data of server-sent events, up to `[DONE]`. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  for await (const line of linesOf(body)) {
    if (!line.startsWith(DATA)) continue;
    const data = line.slice(DATA.length);
    if (data === '[DONE]') return;
    yield JSON.parse(data) as unknown;
  }
}
