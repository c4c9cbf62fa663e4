/** Whether an argument is a URL rather than a path. A drive letter (`C:\…`) is no scheme. */
export function isUrl(argument: string): boolean {
  return /^(https?|file|data):/i.test(argument);
}
