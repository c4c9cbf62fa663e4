import type { RunningServer } from '@blip2/server';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { failureReport } from '../../failure.ts';
import { DEMO_MODEL_NOTICE, demoModelFolder } from '../../model/demo-model.ts';
import { onEndingSignals } from '../../run/interruption.ts';
import { addServeOptions, type ServeCommandOptions, serverOptions } from './serve-options.ts';

/** `blip2 serve [MODEL]`: answers HTTP requests until a signal ends it. */
export const serveCommand: CliCommand = {
  name: 'serve',
  description:
    'Serve models over HTTP: the APIs of OpenAI, Ollama, Hugging Face and KServe. ' +
    'The model is a folder or a hub id (default: the built-in demo).',
  notes: `
The address is printed once the default model is loaded. SIGTERM or Ctrl-C finishes the requests in progress and
ends with code 0; a second signal aborts them. Routes and their fields: /openapi.json.

Examples:
  blip2 serve
  blip2 serve Salesforce/blip2-flan-t5-xl --dtype fast --port 9000
  blip2 serve ./blip2-opt-2.7b --model itm=./blip2-itm-vit-g --api-key secret --host 0.0.0.0
`,
  configure(command) {
    command.argument('[model]', 'Folder of a Hugging Face checkpoint, or a hub id: the default model');
    addServeOptions(command);
  },
  async run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<ServeCommandOptions>();
    const { stdout, stderr, signals, variables } = environment;
    const settings = serverOptions(command.args[0], options, variables);
    const [first] = settings.models;
    const ending = new AbortController();
    const received = new Promise<void>((resolve) => ending.signal.addEventListener('abort', () => resolve()));
    let server: RunningServer | undefined;
    const listening = onEndingSignals(signals, () => {
      if (ending.signal.aborted) void server?.close();
      ending.abort();
    });
    try {
      server = await environment.serve(
        {
          ...settings,
          host: options.host,
          port: options.port,
          onError: (error) => void stderr.write(failureReport(error, options.verbose === true)),
          ...(options.quiet !== true && {
            onRequest: (entry) => void stderr.write(`${JSON.stringify(entry)}\n`),
          }),
        },
        ending.signal,
      );
      // After the port is known to be free: its error is a line of its own.
      if (first?.source === demoModelFolder && options.quiet !== true) stderr.write(DEMO_MODEL_NOTICE);
      stdout.write(`Serving ${first?.name} at ${server.url}\n`);
      await received;
      await server.close();
    } finally {
      listening[Symbol.dispose]();
    }
    return ExitCode.done;
  },
};
