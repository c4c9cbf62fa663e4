import { html, type TemplateResult } from 'lit';

import { PageElement } from '../elements/page-element.ts';
import { TaskRun } from '../elements/task-run.ts';
import { failureOf, imageNeeded, modelNote, runButton, unsupportedNotice, viewHead } from '../elements/view-parts.ts';
import type { PageImage } from '../state/image-files.ts';
import { answerCard, streamAnswer, type StreamedAnswer } from './streamed-answer.ts';

/** Answers single questions about the selected image; each is independent of the others. */
export class AskView extends PageElement {
  readonly #run = new TaskRun(this);
  readonly #answers = new WeakMap<PageImage, readonly StreamedAnswer[]>();
  #question = '';

  protected override render(): TemplateResult {
    const image = this.session.selected;
    const choice = this.session.modelFor('write');
    const isBusy = image !== undefined && this.#run.isBusy(image);
    const answers = (image && this.#answers.get(image)) ?? [];
    return html`
      ${viewHead('Ask', 'Answers a question about the image. Each question is answered on its own.')}
      ${unsupportedNotice(choice)}
      <form class="form" @submit=${this.#ask}>
        ${imageNeeded(image)}
        <label class="label" for="ask-question">Question</label>
        <div class="field-row">
          <input
            id="ask-question"
            class="input"
            autocomplete="off"
            placeholder="What color is the triangle?"
            ?disabled=${!choice.model}
            .value=${this.#question}
            @input=${this.#type}
          />
          ${runButton('Ask', 'send', {
            isBusy,
            isDisabled: !image || !choice.model || this.#question.trim() === '',
            stop: () => this.#run.stop(),
          })}
        </div>
      </form>
      ${failureOf(this.session, this.#run, image)}
      ${answers
        .filter(({ text }, index) => text !== '' || (isBusy && index === 0))
        .map((answer, index) => answerCard(this.session, answer, isBusy && index === 0))}
      ${modelNote(choice)}
    `;
  }

  #type({ target }: Event): void {
    this.#question = (target as HTMLInputElement).value;
    this.requestUpdate();
  }

  #ask(event: Event): void {
    event.preventDefault();
    const image = this.session.selected;
    const question = this.#question.trim();
    if (!image || question === '' || this.#run.isBusy(image)) return;
    void this.#run.run(image, async (signal) => {
      const answer: StreamedAnswer = { question, text: '' };
      const earlier = (this.#answers.get(image) ?? []).filter(({ text }) => text !== '');
      this.#answers.set(image, [answer, ...earlier]);
      await streamAnswer({ session: this.session, image, answer, onPiece: () => this.requestUpdate(), signal });
    });
  }
}

customElements.define('ask-view', AskView);
