export { createMcpServer, type McpServerOptions } from './create-mcp-server.ts';
export type { ImageAccess } from './open-image.ts';
export { serveMcp, type ServeMcpOptions } from './serve-mcp.ts';
