import { html, nothing, type TemplateResult } from 'lit';

import { PageElement } from '../elements/page-element.ts';
import { TaskRun } from '../elements/task-run.ts';
import { failureOf, imageNeeded, modelNote, runButton, unsupportedNotice, viewHead } from '../elements/view-parts.ts';
import type { PageImage } from '../state/image-files.ts';
import { answerCard, streamAnswer, type StreamedAnswer } from './streamed-answer.ts';

/** Describes the selected image. */
export class CaptionView extends PageElement {
  readonly #run = new TaskRun(this);
  readonly #captions = new WeakMap<PageImage, StreamedAnswer>();

  protected override render(): TemplateResult {
    const image = this.session.selected;
    const choice = this.session.modelFor('write');
    const isBusy = image !== undefined && this.#run.isBusy(image);
    const caption = image && this.#captions.get(image);
    return html`
      ${viewHead('Caption', 'Describes the image in a sentence.')} ${unsupportedNotice(choice)}
      <form class="form" @submit=${this.#describe}>
        ${imageNeeded(image)}
        <div class="actions">
          ${runButton('Describe the image', 'caption', {
            isBusy,
            isDisabled: !image || !choice.model,
            stop: () => this.#run.stop(),
          })}
        </div>
      </form>
      ${failureOf(this.session, this.#run, image)}
      ${caption && (caption.text !== '' || isBusy) ? answerCard(this.session, caption, isBusy) : nothing}
      ${modelNote(choice)}
    `;
  }

  #describe(event: Event): void {
    event.preventDefault();
    const image = this.session.selected;
    if (!image || this.#run.isBusy(image)) return;
    void this.#run.run(image, async (signal) => {
      const answer: StreamedAnswer = { question: '', text: '' };
      this.#captions.set(image, answer);
      await streamAnswer({ session: this.session, image, answer, onPiece: () => this.requestUpdate(), signal });
    });
  }
}

customElements.define('caption-view', CaptionView);
