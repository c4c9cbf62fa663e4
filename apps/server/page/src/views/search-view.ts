import { html, nothing, type TemplateResult } from 'lit';

import type { ApiError } from '../api/api-error.ts';
import { icon } from '../elements/icons.ts';
import { PageElement } from '../elements/page-element.ts';
import { bar } from '../elements/score-list.ts';
import { TaskRun } from '../elements/task-run.ts';
import { failureOf, imageNeeded, modelNote, runButton, unsupportedNotice, viewHead } from '../elements/view-parts.ts';
import { cosine, createImageFeatures, type ImageFeatures } from '../state/image-features.ts';
import type { PageImage } from '../state/image-files.ts';
import { counted } from '../state/page-session.ts';

/** Results that are shown. */
const MOST_RESULTS = 24;

interface Found {
  readonly query: string;
  readonly hits: readonly { readonly image: PageImage; readonly score: number }[];
  readonly failures: readonly { readonly image: PageImage; readonly error: ApiError }[];
}

/** Searches all images of the page by text, over features that the server computes once. */
export class SearchView extends PageElement {
  readonly #run = new TaskRun(this);
  #features: ImageFeatures | undefined;
  #query = '';
  #progress: { readonly done: number; readonly total: number } | undefined;
  #found: Found | undefined;

  protected override render(): TemplateResult {
    const { images } = this.session;
    const choice = this.session.modelFor('embed');
    const isBusy = this.#run.isBusy(this);
    return html`
      ${viewHead('Search', 'Finds the images that fit a text, among all that you have added.')}
      ${unsupportedNotice(choice)}
      <form class="form" @submit=${this.#search}>
        ${imageNeeded(images[0])}
        <label class="label" for="search-query">Search for</label>
        <div class="field-row">
          <input
            id="search-query"
            class="input"
            type="search"
            autocomplete="off"
            placeholder="a large yellow star"
            ?disabled=${!choice.model}
            .value=${this.#query}
            @input=${({ target }: Event) => {
              this.#query = (target as HTMLInputElement).value;
              this.requestUpdate();
            }}
          />
          ${runButton('Search', 'search', {
            isBusy,
            isDisabled: images.length === 0 || !choice.model || this.#query.trim() === '',
            stop: () => this.#run.stop(),
          })}
        </div>
        ${
          images.length > 0
            ? html`<p class="hint">Searches ${counted(images.length, 'image')}. New images are analysed first.</p>`
            : nothing
        }
      </form>
      ${
        isBusy
          ? html`<div class="progress">
              <label for="search-progress">
                Analysing images${this.#progress ? `: ${this.#progress.done} of ${this.#progress.total}` : ''}
              </label>
              <progress
                id="search-progress"
                max=${this.#progress?.total ?? nothing}
                value=${this.#progress?.done ?? nothing}
              ></progress>
            </div>`
          : nothing
      }
      ${failureOf(this.session, this.#run, this)} ${this.#found && !isBusy ? this.#results(this.#found) : nothing}
      ${modelNote(choice)}
    `;
  }

  #results({ query, hits, failures }: Found): TemplateResult {
    const shown = hits.filter(({ image }) => this.session.images.includes(image)).slice(0, MOST_RESULTS);
    return html`
      <section class="result">
        <h3>${query}</h3>
        <ol class="hits" aria-label="Images, best match first">
          ${shown.map(
            ({ image, score }) => html`
              <li>
                <button
                  class="hit"
                  type="button"
                  aria-current=${image === this.session.selected ? 'true' : 'false'}
                  @click=${() => this.session.select(image)}
                >
                  <img src=${image.url} alt="" loading="lazy" decoding="async" />
                  <span class="hit-name">${image.name}</span>
                  <span class="hit-score">${score.toFixed(3)}</span>
                  ${bar(score)}
                </button>
              </li>
            `,
          )}
        </ol>
        <p class="hint">
          ${shown.length < hits.length ? `The best ${shown.length} of ${counted(hits.length, 'image')}.` : nothing}
          Scores are cosines of features.
        </p>
      </section>
      ${
        failures.length === 0
          ? nothing
          : html`<div class="notice notice-info" role="status">
              ${icon('warning')}
              <div class="notice-body">
                <p class="notice-title">${counted(failures.length, 'image')} could not be read</p>
                <ul class="plain">
                  ${failures.map(({ image, error }) => html`<li>${image.name}: <code>${error.code}</code></li>`)}
                </ul>
              </div>
            </div>`
      }
    `;
  }

  #search(event: Event): void {
    event.preventDefault();
    const { images, client } = this.session;
    const { model } = this.session.modelFor('embed');
    const query = this.#query.trim();
    if (!model || query === '' || images.length === 0 || this.#run.isBusy(this)) return;
    const features = (this.#features ??= createImageFeatures(client));
    void this.#run.run(this, async (signal) => {
      this.#progress = undefined;
      const [text] = await client.embed(model.id, [query], signal);
      const onProgress = (done: number, total: number): void => {
        this.#progress = { done, total };
        this.requestUpdate();
      };
      await features.compute(model.id, images, { signal, onProgress });
      const hits = images.flatMap((image) => {
        const vector = features.vector(model.id, image);
        return vector && text ? { image, score: cosine(text, vector) } : [];
      });
      const failures = images.flatMap((image) => {
        const error = features.failure(model.id, image);
        return error ? { image, error } : [];
      });
      this.#found = { query, hits: hits.toSorted((a, b) => b.score - a.score), failures };
      const [best] = this.#found.hits;
      this.session.announce(best ? `Best match: ${best.image.name}` : 'No image could be read.');
    });
  }
}

customElements.define('search-view', SearchView);
