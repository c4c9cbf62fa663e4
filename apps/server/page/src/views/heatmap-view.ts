import { html, nothing, type TemplateResult } from 'lit';

import type { Heatmap } from '../api/types.ts';
import { PageElement } from '../elements/page-element.ts';
import { TaskRun } from '../elements/task-run.ts';
import { failureOf, imageNeeded, modelNote, runButton, unsupportedNotice, viewHead } from '../elements/view-parts.ts';
import type { PageImage } from '../state/image-files.ts';
import type { ModelChoice } from '../state/model-choice.ts';

/** What the score of each kind of map is. */
const UNITS: Readonly<Record<Heatmap['kind'], string>> = {
  itm: 'log-odds of the match',
  itc: 'cosine',
  writing: 'log-probability of the text',
};
const NO_SUPPORT =
  'No region supports this text. It may not match the image; for one object among several, show regions.';
const RESOLUTIONS = [
  { cells: 4, label: 'Coarse, 4 × 4' },
  { cells: 8, label: 'Medium, 8 × 8' },
  { cells: 16, label: 'Fine, 16 × 16' },
];
const MODES = [
  { mode: 'hide', label: 'Hide regions', hint: 'For a text about the whole image.' },
  { mode: 'keep', label: 'Show regions', hint: 'For one object among several.' },
  { mode: 'both', label: 'Hide and show', hint: 'For any text, at twice the time.' },
] as const;
type Mode = (typeof MODES)[number]['mode'];

/** Shows which regions of the selected image support a text. */
export class HeatmapView extends PageElement {
  readonly #run = new TaskRun(this);
  #text = '';
  #question = '';
  #scoredBy: 'match' | 'write' | undefined;
  #cells = 8;
  #mode: Mode = 'hide';
  #progress: { readonly done: number; readonly total: number } | undefined;
  /** The score of each finished map, for the text below the form. */
  readonly #results = new WeakMap<PageImage, { readonly text: string; readonly isEmpty: boolean }>();

  protected override render(): TemplateResult {
    const image = this.session.selected;
    const choices = { match: this.session.modelFor('match'), write: this.session.modelFor('write') };
    const scoredBy = this.#scoredBy ?? (choices.match.model ? 'match' : 'write');
    const choice = choices[scoredBy];
    const isBusy = image !== undefined && this.#run.isBusy(image);
    const result = image && this.#results.get(image);
    return html`
      ${viewHead('Heat map', 'Shows which regions of the image support a text, by covering one after another.')}
      ${choices.match.model || choices.write.model ? nothing : unsupportedNotice(choice)}
      <form class="form" @submit=${(event: Event) => this.#compute(event, scoredBy)}>
        ${imageNeeded(image)}
        <label class="label" for="heatmap-text">Text</label>
        <input
          id="heatmap-text"
          class="input"
          autocomplete="off"
          placeholder=${scoredBy === 'match' ? 'a blue triangle' : 'blue'}
          .value=${this.#text}
          @input=${({ target }: Event) => {
            this.#text = (target as HTMLInputElement).value;
            this.requestUpdate();
          }}
        />
        <fieldset class="choices">
          <legend class="label">Scored by</legend>
          ${this.#scoreChoice('match', 'How well the text matches', choices.match, scoredBy)}
          ${this.#scoreChoice('write', 'How likely the model writes the text', choices.write, scoredBy)}
        </fieldset>
        ${
          scoredBy === 'write'
            ? html`<label class="label" for="heatmap-question">Question that the text answers (optional)</label>
                <input
                  id="heatmap-question"
                  class="input"
                  autocomplete="off"
                  placeholder="What color is the triangle?"
                  .value=${this.#question}
                  @input=${({ target }: Event) => (this.#question = (target as HTMLInputElement).value)}
                />`
            : nothing
        }
        <div class="field-grid">
          <div>
            <label class="label" for="heatmap-cells">Resolution</label>
            <select
              id="heatmap-cells"
              class="input"
              @change=${({ target }: Event) => (this.#cells = Number((target as HTMLSelectElement).value))}
            >
              ${RESOLUTIONS.map(
                ({ cells, label }) => html`<option value=${cells} ?selected=${cells === this.#cells}>${label}</option>`,
              )}
            </select>
          </div>
          <div>
            <label class="label" for="heatmap-mode">Method</label>
            <select
              id="heatmap-mode"
              class="input"
              aria-describedby="heatmap-mode-hint"
              @change=${({ target }: Event) => {
                this.#mode = (target as HTMLSelectElement).value as Mode;
                this.requestUpdate();
              }}
            >
              ${MODES.map(
                ({ mode, label }) => html`<option value=${mode} ?selected=${mode === this.#mode}>${label}</option>`,
              )}
            </select>
            <p class="hint" id="heatmap-mode-hint">${MODES.find(({ mode }) => mode === this.#mode)?.hint}</p>
          </div>
        </div>
        <div class="actions">
          ${runButton('Draw the heat map', 'heatmap', {
            isBusy,
            isDisabled: !image || !choice.model || this.#text.trim() === '',
            stop: () => this.#run.stop(),
          })}
        </div>
      </form>
      ${
        isBusy
          ? html`<div class="progress">
              <label for="heatmap-progress">Covering regions</label>
              <progress
                id="heatmap-progress"
                max=${this.#progress?.total ?? nothing}
                value=${this.#progress?.done ?? nothing}
              ></progress>
            </div>`
          : nothing
      }
      ${failureOf(this.session, this.#run, image)}
      ${
        result
          ? html`<section class="result">
              <h3>${result.text}</h3>
              <p>${result.isEmpty ? NO_SUPPORT : 'Drawn over the image: yellow regions support the text most.'}</p>
              <p class="hint">The map has the effect of each region alone, not what two regions do together.</p>
            </section>`
          : nothing
      }
      ${modelNote(choice)}
    `;
  }

  #scoreChoice(value: 'match' | 'write', label: string, choice: ModelChoice, chosen: string): TemplateResult {
    return html`
      <label class="choice">
        <input
          type="radio"
          name="heatmap-by"
          value=${value}
          .checked=${chosen === value}
          ?disabled=${!choice.model}
          @change=${() => {
            this.#scoredBy = value;
            this.requestUpdate();
          }}
        />
        <span
          >${label}${choice.problem === undefined ? nothing : html`<span class="hint">${choice.problem}</span>`}</span
        >
      </label>
    `;
  }

  #compute(event: Event, scoredBy: 'match' | 'write'): void {
    event.preventDefault();
    const image = this.session.selected;
    const { model } = this.session.modelFor(scoredBy);
    const text = this.#text.trim();
    if (!image || !model || text === '' || this.#run.isBusy(image)) return;
    const question = scoredBy === 'write' ? this.#question.trim() : '';
    const request = { image: image.file, model: model.id, text, mode: this.#mode, cells: this.#cells };
    void this.#run.run(image, async (signal) => {
      this.#progress = undefined;
      const onProgress = (done: number, total: number): void => {
        this.#progress = { done, total };
        this.requestUpdate();
      };
      const body = question === '' ? request : { ...request, question };
      const map = await this.session.client.heatmap(body, onProgress, signal);
      this.#show(image, text, map);
    });
  }

  #show(image: PageImage, text: string, { rows, columns, values, kind }: Heatmap): void {
    const largest = Math.max(0, ...values);
    // As the library draws them: regions that lower the score are as those without an effect.
    const shares = values.map((value) => (largest > 0 ? Math.max(0, value) / largest : 0));
    this.#results.set(image, { text, isEmpty: largest === 0 });
    this.session.showHeatmap({ image, rows, columns, shares, largest, unit: UNITS[kind], text });
    this.session.announce(`Heat map drawn for: ${text}`);
  }
}

customElements.define('heatmap-view', HeatmapView);
