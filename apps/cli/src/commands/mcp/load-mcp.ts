import { Blip2Error } from '@blip2/interfaces';
import type { ServeMcpOptions } from '@blip2/mcp';

/**
 * Serves MCP with the optional package `@blip2/mcp`.
 * @throws Blip2Error `MISSING_FILE` if it is not installed.
 */
export async function serveMcp(options: ServeMcpOptions): Promise<void> {
  const mcp = await import('@blip2/mcp').catch((cause: unknown) => {
    if (!isMissing(cause)) throw cause;
    throw new Blip2Error('MISSING_FILE', 'The package @blip2/mcp is not installed', {
      fix: 'Run npm install @blip2/mcp next to @blip2/cli',
      cause,
    });
  });
  return mcp.serveMcp(options);
}

function isMissing(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === 'ERR_MODULE_NOT_FOUND';
}
