/**
 * Values of options and arguments whose check is not commander's: it is left to the library, or to the command, for
 * their messages.
 * What is not listed may still be typed.
 */
const KNOWN_VALUES: Readonly<Record<string, readonly string[]>> = {
  '--dtype': ['fp32', 'int8', 'q8', 'q4', 'fast', 'small'],
  '--device': ['cpu'],
  '--sidecar-extension': ['.txt', '.caption'],
  'cache action': ['ls', 'verify', 'prune', 'rm'],
};

/**
 * Words that a place of the command line is known to take: of an option of any command, or of one argument of one
 * command.
 */
export function knownValues(command: string, name: string): readonly string[] | undefined {
  return KNOWN_VALUES[name] ?? KNOWN_VALUES[`${command} ${name}`];
}
