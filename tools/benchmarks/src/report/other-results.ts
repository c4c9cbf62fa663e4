import { markdownTable } from './markdown.ts';
import {
  type AccuracyFile,
  type QualityFile,
  readResult,
  type SecondQuestionFile,
  type Share,
  type StartTimeFile,
} from './result-files.ts';

type Link = (name: string) => string;

/** The table of results on the demo checkpoints. `link` returns a link to a result file. */
export function otherResults(link: Link): string {
  const rows = [
    [...startTime(), link('start-time')],
    [...accuracy(), [link('accuracy-opt'), link('accuracy-t5')].join(', ')],
    [...quality(), link('quality')],
    [...secondQuestion(), link('second-question')],
  ];
  return `### Demo checkpoints\n\n${markdownTable(['measurement', 'result', 'file'], rows)}`;
}

function startTime(): readonly string[] {
  const { rows, machine } = readResult<StartTimeFile>('start-time');
  const times = ['demo caption', 'help', 'node'].map((name) => `${rows.find((row) => row.name === name)?.medianMs} ms`);
  const node = machine.node.replace(/^v/, '');
  return [
    'process time of the demo caption, of `blip2 --help` and of `node` alone ' +
      `(${machine.cores} cores of ${machine.cpu}, Node ${node})`,
    times.join('; '),
  ];
}

function accuracy(): readonly string[] {
  const greedy = ['opt', 't5'].map((kind) =>
    readResult<AccuracyFile>(`accuracy-${kind}`).rows.find(({ numBeams }) => numBeams === 1),
  );
  const text = (share?: Share): string => `${share?.correct}/${share?.of}`;
  const all = (share?: Share): boolean => share !== undefined && share.correct === share.of;
  const same = greedy.every(
    (row) => all(row?.sameTokensAsReference?.captions) && all(row?.sameTokensAsReference?.answers),
  );
  const shares = greedy.map((row) => `${text(row?.captions)} and ${text(row?.answers)}`).join('; ');
  return [
    'correct captions and answers on unseen scenes, OPT; T5',
    `${shares}${same ? ', the same tokens as Transformers' : ''}`,
  ];
}

function quality(): readonly string[] {
  const rows = readResult<QualityFile>('quality').rows.filter(({ captionsRight }) => captionsRight !== undefined);
  const checkpoints = [...new Set(rows.map(({ checkpoint }) => checkpoint))];
  const line = (checkpoint: string): string =>
    rows
      .filter((row) => row.checkpoint === checkpoint && row.dtype !== 'fp32')
      .map(({ dtype, captionsRight, answersRight }) => `\`${dtype}\` ${captionsRight} and ${answersRight}`)
      .join(', ');
  return [
    'the same at other precisions',
    checkpoints.map((checkpoint) => `${checkpoint.toUpperCase()}: ${line(checkpoint)}`).join('; '),
  ];
}

function secondQuestion(): readonly string[] {
  const { rows } = readResult<SecondQuestionFile>('second-question');
  const second = (way: string): SecondQuestionFile['rows'][number] | undefined =>
    rows.find((row) => row.architecture === 'causal' && row.way === way && row.question === 2);
  const [encoded, anew] = [second('encoded'), second('given anew')];
  return [
    'a second question about an encoded image (OPT)',
    `images encoded: ${encoded?.imagesEncoded}; ` +
      `positions prefilled: ${encoded?.positionsPrefilled} instead of ${anew?.positionsPrefilled}`,
  ];
}
