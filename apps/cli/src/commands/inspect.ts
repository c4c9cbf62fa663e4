import { Blip2Error } from '@blip2/interfaces';
import type { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/common-options.ts';

/** `blip2 inspect MODEL`. */
export const inspectCommand: CliCommand = {
  name: 'inspect',
  configure(command) {
    command.description('What a checkpoint is, and whether it will run here.').argument('[model]', 'folder of a Hugging Face checkpoint');
    addOutputOptions(command);
  },
  async run() {
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'not connected');
  },
};
