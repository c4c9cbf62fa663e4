import type { Readable, Writable } from 'node:stream';

import { Blip2Retrieval, type ImageTasks, loadImageTasks, loadOnce, type LoadOptions } from '@blip2/blip2';
import { resolveFolder } from '@blip2/files';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';

import { createMcpServer } from './create-mcp-server.ts';
import type { ImageAccess } from './open-image.ts';

/** Options of `serveMcp`. */
export interface ServeMcpOptions extends ImageAccess {
  /** Folder or hub id of a checkpoint with a language model, for `caption`, `ask` and `rank`. Absent: without these. */
  readonly model?: string | undefined;
  /** Folder or hub id of a retrieval checkpoint, for `match`. Absent: without it. */
  readonly matchModel?: string | undefined;
  /** How both are loaded, at their first call. */
  readonly load?: Omit<LoadOptions, 'signal'>;
  readonly version: string;
  readonly stdin: Readable;
  /** Protocol messages only. */
  readonly stdout: Writable;
  /** Ends the server. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Serves MCP over two streams until the input ends or the signal is aborted. Models are loaded at their first call.
 * @throws Blip2Error `MISSING_FILE` for a root that is not a folder.
 */
export async function serveMcp(options: ServeMcpOptions): Promise<void> {
  const { model, matchModel, load = {}, version, stdin, stdout, signal, allowImageUrls = false } = options;
  const roots = await Promise.all(options.roots.map(resolveFolder));
  const tasks = model === undefined ? undefined : loadOnce<ImageTasks>(() => loadImageTasks(model, load));
  const retrieval =
    matchModel === undefined ? undefined : loadOnce(() => Blip2Retrieval.fromPretrained(matchModel, load));
  const server = createMcpServer({
    roots,
    allowImageUrls,
    version,
    loadTasks: tasks?.load,
    loadRetrieval: retrieval?.load,
  });
  const ended = new Promise<void>((resolve) => {
    const end = (): void => resolve();
    // The transport of the SDK does not notice the end of its input.
    stdin.once('end', end).once('close', end);
    stdout.once('error', end);
    if (signal?.aborted) end();
    signal?.addEventListener('abort', end, { once: true });
  });
  await server.connect(new StdioServerTransport(stdin, stdout));
  await ended;
  await server.close();
  await Promise.all([tasks?.dispose(), retrieval?.dispose()]);
}
