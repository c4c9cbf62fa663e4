import { Blip2Error } from '@blip2/interfaces';

import type { Adapter } from './read-adapter.ts';

/** Maximum length of a text from a file in an error. */
const MAX_SHOWN = 200;

/** The errors of `placeAdapters`. */
export function missingModule(name: string, { folder, config }: Adapter, base: string): Blip2Error {
  const trained = config.base === undefined ? '' : `: ${config.base.slice(0, MAX_SHOWN)}`;
  return new Blip2Error('MISSING_WEIGHT', `The base model has no module ${name}, which the adapter changes`, {
    where: folder,
    subject: name,
    got: base,
    fix: `Use the base model that the adapter was trained for${trained}`,
  });
}

export function noModule({ folder }: Adapter, label: string): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', `The adapter changes nothing in the ${label}`, {
    argument: 'adapters',
    where: folder,
    fix: 'Load the part that the adapter was trained for, or the whole model',
  });
}

export function replacedTwice(name: string, [first, second]: readonly [Adapter, Adapter]): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', `Two adapters replace the same tensor ${name}`, {
    argument: 'adapters',
    where: `${first.folder}, ${second.folder}`,
    subject: name,
    fix: 'Apply one of them at a time',
  });
}

export function fixedModule(name: string, { folder }: Adapter): Blip2Error {
  return new Blip2Error('UNSUPPORTED_ARCHITECTURE', `The adapter changes ${name}, which cannot be adapted`, {
    where: folder,
    subject: name,
    fix: 'Train the adapter without this module, or list it in modules_to_save',
  });
}

export function sharedEmbedding(name: string, { folder }: Adapter): Blip2Error {
  return new Blip2Error('UNSUPPORTED_ARCHITECTURE', `The adapter changes ${name}, whose table several modules share`, {
    where: folder,
    subject: name,
    fix: 'Train the adapter without this module',
  });
}
