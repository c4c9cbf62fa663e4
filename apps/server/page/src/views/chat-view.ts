import { html, nothing, type TemplateResult } from 'lit';

import { icon } from '../elements/icons.ts';
import { PageElement } from '../elements/page-element.ts';
import { TaskRun } from '../elements/task-run.ts';
import { failureOf, imageNeeded, modelNote, runButton, unsupportedNotice, viewHead } from '../elements/view-parts.ts';
import type { PageImage } from '../state/image-files.ts';
import { streamAnswer, type StreamedAnswer } from './streamed-answer.ts';

/** A conversation about the selected image: earlier questions and answers are part of each prompt. */
export class ChatView extends PageElement {
  readonly #run = new TaskRun(this);
  readonly #conversations = new WeakMap<PageImage, readonly StreamedAnswer[]>();
  #question = '';

  protected override render(): TemplateResult {
    const image = this.session.selected;
    const choice = this.session.modelFor('write');
    const isBusy = image !== undefined && this.#run.isBusy(image);
    const turns = (image && this.#conversations.get(image)) ?? [];
    return html`
      ${viewHead('Conversation', 'Ask follow-up questions: earlier questions and answers are part of each prompt.')}
      ${unsupportedNotice(choice)} ${imageNeeded(image)}
      ${
        turns.length === 0
          ? nothing
          : html`<ol class="chat" aria-label="Conversation" aria-busy=${isBusy ? 'true' : 'false'}>
              ${turns.map((turn, index) => this.#turn(turn, isBusy && index === turns.length - 1))}
            </ol>`
      }
      ${failureOf(this.session, this.#run, image)}
      <form class="form" @submit=${this.#send}>
        <label class="label" for="chat-question">Message</label>
        <div class="field-row">
          <input
            id="chat-question"
            class="input"
            autocomplete="off"
            placeholder=${turns.length === 0 ? 'What is on the left?' : 'And what color is it?'}
            ?disabled=${!choice.model}
            .value=${this.#question}
            @input=${this.#type}
          />
          ${runButton('Send', 'send', {
            isBusy,
            isDisabled: !image || !choice.model || this.#question.trim() === '',
            stop: () => this.#run.stop(),
          })}
        </div>
        ${
          turns.length === 0
            ? nothing
            : html`<div class="actions">
                <button class="button button-quiet" type="button" @click=${this.#clear}>
                  ${icon('trash')} Clear the conversation
                </button>
              </div>`
        }
      </form>
      ${modelNote(choice)}
    `;
  }

  #turn({ question, text, end }: StreamedAnswer, isBusy: boolean): TemplateResult {
    return html`
      <li class="message message-user"><span class="visually-hidden">You: </span>${question}</li>
      ${
        text === '' && !isBusy
          ? nothing
          : html`<li class="message message-model">
              <span class="visually-hidden">Model: </span>${text}${
                isBusy
                  ? html`<span class="cursor" aria-hidden="true"></span>`
                  : end
                    ? nothing
                    : html` <span class="hint">(stopped)</span>`
              }
            </li>`
      }
    `;
  }

  #type({ target }: Event): void {
    this.#question = (target as HTMLInputElement).value;
    this.requestUpdate();
  }

  #send(event: Event): void {
    event.preventDefault();
    const image = this.session.selected;
    const question = this.#question.trim();
    if (!image || question === '' || this.#run.isBusy(image)) return;
    this.#question = '';
    void this.#run.run(image, async (signal) => {
      const earlier = (this.#conversations.get(image) ?? []).filter(({ text }) => text !== '');
      const history = earlier.map((turn) => ({ question: turn.question, answer: turn.text.trim() }));
      const answer: StreamedAnswer = { question, text: '' };
      this.#conversations.set(image, [...earlier, answer]);
      this.requestUpdate();
      await streamAnswer({
        session: this.session,
        image,
        answer,
        history,
        onPiece: () => this.requestUpdate(),
        signal,
      });
    });
  }

  async #clear(): Promise<void> {
    const image = this.session.selected;
    if (!image) return;
    this.#run.stop();
    this.#run.dismiss();
    this.#conversations.delete(image);
    this.session.announce('Conversation cleared.');
    // The button that had the focus is gone.
    (await this.rendered('input'))?.focus();
  }
}

customElements.define('chat-view', ChatView);
