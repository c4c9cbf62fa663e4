import type { Blip2Retrieval, ImageTasks, TextStream } from '@blip2/blip2';
import { defined } from '@blip2/interfaces';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { ToolAnnotations } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';

import { type ImageAccess, openImage } from './open-image.ts';
import { runTool, type ToolAnswer, type ToolCall } from './tool-call.ts';

/** Options of an MCP server. */
export interface McpServerOptions extends ImageAccess {
  /**
   * Called at the first call of `caption`, `ask` or `rank`, and at later ones: return the same tasks. Absent: the
   * server has no such tools.
   */
  readonly loadTasks?: (() => Promise<ImageTasks>) | undefined;
  /** The same for `match`. */
  readonly loadRetrieval?: (() => Promise<Blip2Retrieval>) | undefined;
  /** Of the server, in its first answer. */
  readonly version: string;
}

/** Most texts of one call. */
const MAX_TEXTS = 100;
const MAX_TOKENS = 256;

const texts = z.array(z.string().min(1)).min(1).max(MAX_TEXTS);
const maxTokens = z.int().min(1).max(MAX_TOKENS).optional().describe('Most tokens of the text (default 32)');
const written = {
  text: z.string(),
  finish_reason: z.enum(['stop', 'length']).describe('length: the text was cut at max_tokens'),
};

/** Creates an MCP server with the tools `caption`, `ask`, `rank` and `match`. It is not connected yet. */
export function createMcpServer({ loadTasks, loadRetrieval, version, ...access }: McpServerOptions): McpServer {
  const server = new McpServer({ name: 'blip2', version });
  if (loadTasks) addTextTools(server, loadTasks, access);
  if (loadRetrieval) addMatchTool(server, loadRetrieval, access);
  return server;
}

function addTextTools(server: McpServer, loadTasks: () => Promise<ImageTasks>, access: ImageAccess): void {
  const image = imageArgument(access);
  const annotations = annotationsOf(access);
  /** Opens the image before the model is loaded, so that a wrong name is reported at once. */
  const write = async (
    call: ToolCall,
    name: string,
    limit: number | undefined,
    start: (tasks: ImageTasks, source: Uint8Array | string, settings: object) => TextStream,
  ): Promise<ToolAnswer> => {
    const source = await openImage(name, access);
    call.progress('Loading the model');
    const tasks = await loadTasks();
    const stream = start(tasks, source, { ...readingOf(call, access), ...defined({ maxNewTokens: limit }) });
    let words = '';
    for await (const piece of stream) call.progress((words += piece));
    const { text, finishReason } = await stream;
    return { text, structured: { text, finish_reason: finishReason === 'length' ? 'length' : 'stop' } };
  };
  server.registerTool(
    'caption',
    {
      title: 'Describe an image',
      description: 'Describes an image in one sentence.',
      inputSchema: {
        image,
        prompt: z.string().optional().describe('Words that the description begins with, such as "a photo of"'),
        max_tokens: maxTokens,
      },
      outputSchema: written,
      annotations,
    },
    ({ image: name, prompt, max_tokens: limit }, extra) =>
      runTool(extra, (call) =>
        write(call, name, limit, (tasks, source, settings) =>
          tasks.caption(source, { ...settings, ...(prompt?.trim() ? { prompt } : {}) }),
        ),
      ),
  );
  server.registerTool(
    'ask',
    {
      title: 'Ask about an image',
      description: 'Answers a question about an image in a few words.',
      inputSchema: { image, question: z.string().min(1), max_tokens: maxTokens },
      outputSchema: written,
      annotations,
    },
    ({ image: name, question, max_tokens: limit }, extra) =>
      runTool(extra, (call) =>
        write(call, name, limit, (tasks, source, settings) => tasks.answer(source, question, settings)),
      ),
  );
  server.registerTool(
    'rank',
    {
      title: 'Choose between answers',
      description:
        'Ranks given answers to a question about an image by probability. Without a question, ranks descriptions.',
      inputSchema: { image, question: z.string().optional(), candidates: texts.describe('Different answers') },
      outputSchema: { answers: z.array(z.object({ text: z.string(), probability: z.number() })) },
      annotations,
    },
    ({ image: name, question, candidates }, extra) =>
      runTool(extra, async (call) => {
        const source = await openImage(name, access);
        call.progress('Loading the model');
        const tasks = await loadTasks();
        call.progress('Ranking');
        const reading = readingOf(call, access);
        const ranked = await tasks.rank(source, question?.trim() ? question : null, candidates, reading);
        const answers = ranked.map(({ text, probability }) => ({ text, probability }));
        return { text: JSON.stringify(answers), structured: { answers } };
      }),
  );
}

function addMatchTool(server: McpServer, loadRetrieval: () => Promise<Blip2Retrieval>, access: ImageAccess): void {
  server.registerTool(
    'match',
    {
      title: 'Match an image with texts',
      description: 'Scores how well each text matches an image: itm is a probability, itc a cosine.',
      inputSchema: { image: imageArgument(access), texts },
      outputSchema: { scores: z.array(z.object({ text: z.string(), itm: z.number(), itc: z.number() })) },
      annotations: annotationsOf(access),
    },
    ({ image: name, texts: list }, extra) =>
      runTool(extra, async (call) => {
        const source = await openImage(name, access);
        call.progress('Loading the model');
        const retrieval = await loadRetrieval();
        call.progress('Matching');
        const [row = []] = await retrieval.match([source], list, readingOf(call, access));
        const scores = row.map(({ itm, itc }, index) => ({ text: list[index] ?? '', itm, itc }));
        return { text: JSON.stringify(scores), structured: { scores } };
      }),
  );
}

function imageArgument({ roots, allowImageUrls }: ImageAccess): z.ZodString {
  const urls = allowImageUrls === true ? ', or an http(s) URL' : '';
  return z
    .string()
    .min(1)
    .describe(`A file in ${roots.join(' or ')} (relative or absolute), or a data: URL${urls}`);
}

function annotationsOf({ allowImageUrls }: ImageAccess): ToolAnnotations {
  return { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: allowImageUrls === true };
}

function readingOf({ signal }: ToolCall, { allowImageUrls }: ImageAccess): { signal: AbortSignal; allowUrls: boolean } {
  return { signal, allowUrls: allowImageUrls === true };
}
