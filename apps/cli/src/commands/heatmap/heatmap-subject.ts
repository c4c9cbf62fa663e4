import { Blip2Error } from '@blip2/interfaces';

import type { HeatmapSubject, OcclusionSubject } from '../../model/heatmap-port.ts';

export type HeatmapMethod = HeatmapSubject['method'];

/** What the options of `blip2 heatmap` say of the map. */
export interface SubjectOptions {
  readonly method?: HeatmapMethod;
  readonly text?: readonly string[];
  readonly layer?: number;
  readonly question?: string;
  readonly by?: 'itm' | 'itc';
  readonly mode?: 'hide' | 'keep' | 'both';
  readonly cells?: number;
  readonly batchSize?: number;
}

/**
 * With a text, what the text rests on; else where the queries look. @throws Blip2Error `INVALID_ARGUMENT` for options
 * of the other method.
 */
export function heatmapSubject({
  text: texts = [],
  layer,
  method = texts.length > 0 ? 'occlusion' : 'attention',
  ...occlusion
}: SubjectOptions): HeatmapSubject {
  const [text, ...more] = texts;
  if (more.length > 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'A map is of one text', {
      where: '--text',
      got: `${texts.length} texts`,
      fix: 'Call it once for each',
    });
  const { question, by, mode, cells, batchSize } = occlusion;
  if (method === 'attention') {
    const needless = Object.entries({ text, question, by, mode, cells, batchSize }).find(
      ([, value]) => value !== undefined,
    )?.[0];
    if (needless !== undefined)
      throw new Blip2Error('INVALID_ARGUMENT', 'Attention reads no text: this is for occlusion', {
        where: optionName(needless),
        fix: 'Leave it out, or say what the image is to be matched with: --text',
      });
    return { method, ...(layer !== undefined && { layer }) };
  }
  if (layer !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', 'Occlusion knows no layers: this is for attention', { where: '--layer' });
  if (text === undefined || text.trim() === '')
    throw new Blip2Error('INVALID_ARGUMENT', 'Occlusion needs a text', {
      where: '--text',
      got: text === undefined ? 'none' : 'an empty one',
    });
  const subject: OcclusionSubject = { method, text };
  return {
    ...subject,
    ...Object.fromEntries(
      Object.entries({ question, by, mode, cells, batchSize }).filter(([, value]) => value !== undefined),
    ),
  };
}

function optionName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
