import { Blip2Error, defined, mustBe } from '@blip2/interfaces';

import type { HeatmapSubject, OcclusionSubject } from '../../model/heatmap-port.ts';

export type HeatmapMethod = HeatmapSubject['method'];

/** Options of `blip2 heatmap` that define the map. */
export interface SubjectOptions extends Partial<Omit<OcclusionSubject, 'method' | 'text'>> {
  readonly method?: HeatmapMethod;
  readonly text?: readonly string[];
  readonly layer?: number;
}

/**
 * Resolves the options: occlusion if there is a text, attention otherwise.
 * @throws Blip2Error `INVALID_ARGUMENT` for options of the other method, and unless occlusion has one text.
 */
export function heatmapSubject({
  text: texts = [],
  layer,
  method = texts.length > 0 ? 'occlusion' : 'attention',
  question,
  by,
  mode,
  cells,
  batchSize,
}: SubjectOptions): HeatmapSubject {
  const [text, ...more] = texts;
  if (more.length > 0) throw mustBe('--text', 'a single text', `${texts.length} texts`, { fix: 'Run once per text' });
  const options = defined({ question, by, mode, cells, batchSize });
  if (method === 'attention') {
    const other = Object.keys(defined({ text, ...options }))[0];
    if (other !== undefined)
      throw new Blip2Error('INVALID_ARGUMENT', `${optionName(other)} is only supported with --method occlusion`, {
        fix: 'Omit it, or pass a text with --text',
      });
    return { method, ...defined({ layer }) };
  }
  if (layer !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', '--layer is only supported with --method attention');
  if (text === undefined) throw new Blip2Error('INVALID_ARGUMENT', '--method occlusion needs --text');
  if (text.trim() === '') throw mustBe('--text', 'a non-empty text', text);
  return { method, text, ...options };
}

function optionName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
