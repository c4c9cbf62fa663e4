import { html, nothing, type TemplateResult } from 'lit';

import type { ChatTurn, FinishedText } from '../api/types.ts';
import { icon } from '../elements/icons.ts';
import type { PageImage } from '../state/image-files.ts';
import type { PageSession } from '../state/page-session.ts';

/** A text that is generated, or was. */
export interface StreamedAnswer {
  readonly question: string;
  text: string;
  /** Absent while it is generated, and if it was stopped or failed. */
  end?: FinishedText;
}

/** What is generated. */
export interface AnswerRequest {
  readonly session: PageSession;
  readonly image: PageImage;
  readonly answer: StreamedAnswer;
  readonly history?: readonly ChatTurn[];
  readonly onPiece: () => void;
  readonly signal: AbortSignal;
}

/** Generates an answer into `answer`, and tells screen readers when it is complete. */
export async function streamAnswer(request: AnswerRequest): Promise<void> {
  const { session, image, answer, history = [], onPiece, signal } = request;
  const { model } = session.modelFor('write');
  answer.end = await session.client.write(
    { model: model?.id, image: image.file, question: answer.question, history, options: session.generation },
    (piece) => {
      answer.text += piece;
      onPiece();
    },
    signal,
  );
  answer.text = answer.text.trim();
  session.announce(answer.text);
}

/** The text of an answer, and how it ended. */
export function answerCard(session: PageSession, answer: StreamedAnswer, isBusy: boolean): TemplateResult {
  const { question, text, end } = answer;
  return html`
    <article class="answer" aria-busy=${isBusy ? 'true' : 'false'}>
      ${question === '' ? nothing : html`<p class="answer-question">${question}</p>`}
      <p class="answer-text">${text}${isBusy ? html`<span class="cursor" aria-hidden="true"></span>` : nothing}</p>
      <footer class="answer-foot">
        <span class="hint">${isBusy ? 'Writing…' : endingOf(end)}</span>
        ${
          text === '' || isBusy
            ? nothing
            : html`<button class="button button-quiet" type="button" @click=${() => copy(session, text)}>
                ${icon('copy')} Copy
              </button>`
        }
      </footer>
    </article>
  `;
}

function endingOf(end: FinishedText | undefined): string {
  if (!end) return 'Stopped';
  const tokens = `${end.newTokens} ${end.newTokens === 1 ? 'token' : 'tokens'}`;
  return end.finishReason === 'length' ? `${tokens}, ended at the limit` : tokens;
}

async function copy(session: PageSession, text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    session.announce('Copied.');
  } catch {
    session.announce('The browser does not allow copying.');
  }
}
