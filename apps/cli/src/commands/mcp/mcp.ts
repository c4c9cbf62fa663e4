import { defined } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { DEMO_MODEL_NOTICE, demoModelFolder, demoRetrievalFolder } from '../../model/demo-model.ts';
import { repeated } from '../../options/argument-parsers.ts';
import { offlineOption, threadsOption, verboseOption } from '../../options/common-options.ts';
import { dtypeOption } from '../../options/dtype.ts';
import { onEndingSignals } from '../../run/interruption.ts';
import { version } from '../../version.ts';

interface McpCommandOptions {
  readonly matchModel?: string;
  readonly root?: readonly string[];
  readonly allowImageUrls?: boolean;
  readonly dtype?: string;
  readonly device?: string;
  readonly threads?: number;
  readonly offline?: boolean;
  readonly quiet?: boolean;
}

/** `blip2 mcp [MODEL]`: answers an MCP client on stdin and stdout until it closes stdin. */
export const mcpCommand: CliCommand = {
  name: 'mcp',
  description:
    'Serve a model to MCP clients over stdio: the tools caption, ask, rank and match. ' +
    'The model is a folder or a hub id (default: the built-in demo).',
  notes: `
Clients such as Claude Desktop and VS Code start this command; see docs/guides/mcp.md for their settings. Models are
loaded at their first call. Needs the package @blip2/mcp.

Examples:
  blip2 mcp --root ~/Pictures
  blip2 mcp Salesforce/blip2-flan-t5-xl --match-model Salesforce/blip2-itm-vit-g --dtype fast
`,
  configure(command) {
    command.argument('[model]', 'Folder of a Hugging Face checkpoint, or a hub id: for caption, ask and rank');
    const options: readonly Option[] = [
      new Option('--match-model <model>', 'Retrieval checkpoint, for match').helpGroup('Models:'),
      new Option(
        '--dtype <precision>',
        'fp32 (default), int8, q8, q4, fast, small; or by part: vision=int8,language=q4',
      ).helpGroup('Models:'),
      new Option('--device <name>', 'Execution provider (default: cpu)').helpGroup('Models:'),
      threadsOption().helpGroup('Models:'),
      offlineOption().helpGroup('Models:'),
      new Option('--root <folder>', 'Folder of images that clients may name; may be repeated (default: this folder)')
        .argParser(repeated)
        .helpGroup('Images:'),
      new Option('--allow-image-urls', 'Fetch images from http(s) URLs with public addresses').helpGroup('Images:'),
      new Option('--quiet', 'No notices on stderr').helpGroup('Output:'),
      verboseOption(),
    ];
    for (const option of options) command.addOption(option);
  },
  async run(command: Command, environment: Environment): Promise<ExitCode> {
    const { matchModel, root, allowImageUrls, dtype, device, threads, offline, quiet } =
      command.opts<McpCommandOptions>();
    const [model] = command.args;
    const { stdin, stdout, stderr, signals } = environment;
    const load = { ...defined({ device, threads }), ...dtypeOption(dtype), localFilesOnly: offline === true };
    const isDemo = model === undefined && matchModel === undefined;
    if (isDemo && quiet !== true) stderr.write(DEMO_MODEL_NOTICE);
    const ending = new AbortController();
    const listening = onEndingSignals(signals, () => ending.abort());
    try {
      await environment.serveMcp({
        ...(isDemo ? { model: demoModelFolder, matchModel: demoRetrievalFolder } : defined({ model, matchModel })),
        load,
        roots: root ?? ['.'],
        allowImageUrls: allowImageUrls === true,
        version: version(),
        stdin,
        stdout,
        signal: ending.signal,
      });
    } finally {
      listening[Symbol.dispose]();
    }
    return ExitCode.done;
  },
};
