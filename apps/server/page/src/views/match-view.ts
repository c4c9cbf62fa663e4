import { html, nothing, type TemplateResult } from 'lit';

import type { ScoredText } from '../api/types.ts';
import { PageElement } from '../elements/page-element.ts';
import { scoreList } from '../elements/score-list.ts';
import { TaskRun } from '../elements/task-run.ts';
import { failureOf, imageNeeded, modelNote, runButton, unsupportedNotice, viewHead } from '../elements/view-parts.ts';
import type { PageImage } from '../state/image-files.ts';
import { textLines } from './text-lines.ts';

/** Scores how well texts match the selected image. */
export class MatchView extends PageElement {
  readonly #run = new TaskRun(this);
  readonly #scores = new WeakMap<PageImage, readonly ScoredText[]>();
  #texts = '';

  protected override render(): TemplateResult {
    const image = this.session.selected;
    const choice = this.session.modelFor('match');
    const isBusy = image !== undefined && this.#run.isBusy(image);
    const scores = image && this.#scores.get(image);
    return html`
      ${viewHead('Match', 'Scores how well descriptions match the image, each on its own.')}
      ${unsupportedNotice(choice)}
      <form class="form" @submit=${this.#match}>
        ${imageNeeded(image)}
        <label class="label" for="match-texts">Descriptions</label>
        <textarea
          id="match-texts"
          class="input"
          rows="4"
          placeholder=${'a large yellow star\na blue triangle to the left of a small yellow circle'}
          aria-describedby="match-hint"
          ?disabled=${!choice.model}
          .value=${this.#texts}
          @input=${({ target }: Event) => {
            this.#texts = (target as HTMLTextAreaElement).value;
            this.requestUpdate();
          }}
        ></textarea>
        <p class="hint" id="match-hint">One per line.</p>
        <div class="actions">
          ${runButton('Score the descriptions', 'match', {
            isBusy,
            isDisabled: !image || !choice.model || textLines(this.#texts).length === 0,
            stop: () => this.#run.stop(),
          })}
        </div>
      </form>
      ${failureOf(this.session, this.#run, image)}
      ${
        scores
          ? html`<section class="result">
              <h3>Matches</h3>
              ${scoreList('Descriptions, best match first', scores)}
              <p class="hint">Probability of each description that it matches. Several can match.</p>
            </section>`
          : nothing
      }
      ${modelNote(choice)}
    `;
  }

  #match(event: Event): void {
    event.preventDefault();
    const image = this.session.selected;
    const texts = textLines(this.#texts);
    const { model } = this.session.modelFor('match');
    if (!image || !model || texts.length === 0 || this.#run.isBusy(image)) return;
    void this.#run.run(image, async (signal) => {
      const scores = await this.session.client.match({ model: model.id, image: image.file }, texts, signal);
      this.#scores.set(image, scores);
      const best = scores.reduce((most, each) => (each.probability > most.probability ? each : most));
      this.session.announce(`Best match: ${best.text}`);
    });
  }
}

customElements.define('match-view', MatchView);
