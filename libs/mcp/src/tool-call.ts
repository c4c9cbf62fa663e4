import { Blip2Error } from '@blip2/interfaces';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import type { CallToolResult, ServerNotification, ServerRequest } from '@modelcontextprotocol/sdk/types.js';

/** A call of a tool as the SDK passes it. */
export type ToolExtra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** What a tool needs of its call. */
export interface ToolCall {
  /** Aborted when the client cancels the call, or disconnects. */
  readonly signal: AbortSignal;
  /** Reports progress, if the client has asked for it. Each report counts one more than the last. */
  progress(message: string): void;
}

/** The result of a tool: for programs as an object, for models as text. */
export interface ToolAnswer {
  readonly text: string;
  readonly structured: Record<string, unknown>;
}

/** Runs a tool. An error is a result that the model can read: its code, what is wrong, and what to do. */
export async function runTool(
  { signal, sendNotification, _meta }: ToolExtra,
  run: (call: ToolCall) => Promise<ToolAnswer>,
): Promise<CallToolResult> {
  const progressToken = _meta?.progressToken;
  let count = 0;
  const call: ToolCall = {
    signal,
    progress(message) {
      if (progressToken === undefined || signal.aborted) return;
      count++;
      const params = { progressToken, progress: count, message };
      // A client that is gone needs no progress.
      sendNotification({ method: 'notifications/progress', params }).catch(() => {});
    },
  };
  try {
    const { text, structured } = await run(call);
    return { content: [{ type: 'text', text }], structuredContent: structured };
  } catch (error) {
    return { isError: true, content: [{ type: 'text', text: failureText(error) }] };
  }
}

/** `CODE: message` in one line. */
function failureText(error: unknown): string {
  if (error instanceof Blip2Error) return `${error.code}: ${error.message.replaceAll(/\s+/g, ' ')}`;
  if (error instanceof Error && error.name === 'AbortError') return 'ABORTED: The call was cancelled';
  return `UNEXPECTED: ${error instanceof Error ? error.message : String(error)}`;
}
