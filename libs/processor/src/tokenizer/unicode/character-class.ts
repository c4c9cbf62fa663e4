/** Creates a global regular expression that matches one character of hexadecimal ranges: `'41-5a 61-7a'`. */
export function characterClass(ranges: string): RegExp {
  const members = ranges.split(' ').map((range) =>
    range
      .split('-')
      .map((code) => `\\u{${code}}`)
      .join('-'),
  );
  return new RegExp(`[${members.join('')}]`, 'gu');
}
