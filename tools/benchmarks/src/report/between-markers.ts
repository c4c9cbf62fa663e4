import { Blip2Error } from '@blip2/interfaces';

/** The name of a generated section of a document. */
export type Section = 'speed' | 'parity';

/**
 * `document` with the section between its markers, `<!-- NAME: npm run bench:table -->` and `<!-- /NAME -->`, replaced
 * by `markdown`.
 * @throws Blip2Error `INVALID_ARGUMENT` if the document lacks the markers.
 */
export function withSection(document: string, section: Section, markdown: string): string {
  const [begin, end] = [`<!-- ${section}: npm run bench:table -->`, `<!-- /${section} -->`];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from)
    throw new Blip2Error('INVALID_ARGUMENT', `The document has no generated section: ${begin} and ${end} are missing`);
  return `${document.slice(0, from + begin.length)}\n${markdown}\n${document.slice(to)}`;
}
