import { html, nothing, type TemplateResult } from 'lit';

import type { ScoredText } from '../api/types.ts';
import { PageElement } from '../elements/page-element.ts';
import { scoreList } from '../elements/score-list.ts';
import { TaskRun } from '../elements/task-run.ts';
import { failureOf, imageNeeded, modelNote, runButton, unsupportedNotice, viewHead } from '../elements/view-parts.ts';
import type { PageImage } from '../state/image-files.ts';
import { textLines } from './text-lines.ts';

interface Ranking {
  readonly question: string;
  readonly scores: readonly ScoredText[];
}

/** Ranks candidate answers to a question about the selected image. */
export class ChooseView extends PageElement {
  readonly #run = new TaskRun(this);
  readonly #rankings = new WeakMap<PageImage, Ranking>();
  #question = '';
  #candidates = '';

  protected override render(): TemplateResult {
    const image = this.session.selected;
    const choice = this.session.modelFor('rank');
    const isBusy = image !== undefined && this.#run.isBusy(image);
    const ranking = image && this.#rankings.get(image);
    const isComplete = this.#question.trim() !== '' && textLines(this.#candidates).length > 1;
    return html`
      ${viewHead('Choose', 'Compares answers to a question by how likely the model is to give them.')}
      ${unsupportedNotice(choice)}
      <form class="form" @submit=${this.#rank}>
        ${imageNeeded(image)}
        <label class="label" for="choose-question">Question</label>
        <input
          id="choose-question"
          class="input"
          autocomplete="off"
          placeholder="What shape is on the left?"
          ?disabled=${!choice.model}
          .value=${this.#question}
          @input=${({ target }: Event) => {
            this.#question = (target as HTMLInputElement).value;
            this.requestUpdate();
          }}
        />
        <label class="label" for="choose-candidates">Candidate answers</label>
        <textarea
          id="choose-candidates"
          class="input"
          rows="4"
          placeholder=${'triangle\ncircle\nsquare'}
          aria-describedby="choose-hint"
          ?disabled=${!choice.model}
          .value=${this.#candidates}
          @input=${({ target }: Event) => {
            this.#candidates = (target as HTMLTextAreaElement).value;
            this.requestUpdate();
          }}
        ></textarea>
        <p class="hint" id="choose-hint">One per line, at least two.</p>
        <div class="actions">
          ${runButton('Compare the answers', 'choose', {
            isBusy,
            isDisabled: !image || !choice.model || !isComplete,
            stop: () => this.#run.stop(),
          })}
        </div>
      </form>
      ${failureOf(this.session, this.#run, image)}
      ${
        ranking
          ? html`<section class="result">
              <h3>${ranking.question}</h3>
              ${scoreList('Answers, most likely first', ranking.scores)}
              <p class="hint">Probabilities among these answers; their sum is 100%.</p>
            </section>`
          : nothing
      }
      ${modelNote(choice)}
    `;
  }

  #rank(event: Event): void {
    event.preventDefault();
    const image = this.session.selected;
    const question = this.#question.trim();
    const answers = textLines(this.#candidates);
    const { model } = this.session.modelFor('rank');
    if (!image || !model || this.#run.isBusy(image)) return;
    void this.#run.run(image, async (signal) => {
      const scores = await this.session.client.rank({ model: model.id, image: image.file, question }, answers, signal);
      this.#rankings.set(image, { question, scores });
      const best = scores.reduce((most, each) => (each.probability > most.probability ? each : most));
      this.session.announce(`Most likely: ${best.text}`);
    });
  }
}

customElements.define('choose-view', ChooseView);
