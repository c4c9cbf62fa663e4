import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';

import { colorOf, valueAt } from '../state/color-scale.ts';
import type { PageImage } from '../state/image-files.ts';
import type { ShownHeatmap } from '../state/page-session.ts';
import { heatmapLegend } from './heatmap-legend.ts';
import { icon } from './icons.ts';
import { PageElement } from './page-element.ts';

/** Pixels along each side of a drawn map; the browser stretches it over the image. */
const DRAWN_SIZE = 192;

/** The selected image, with its heat map and the legend next to it, or the invitation to add images. */
export class ImageStage extends PageElement {
  #opacity = 0.6;
  #drawn: ShownHeatmap | undefined;
  readonly #unreadable = new WeakSet<PageImage>();

  protected override render(): TemplateResult {
    const { selected: image } = this.session;
    return image ? this.#figure(image, this.session.heatmap) : this.#invitation();
  }

  #invitation(): TemplateResult {
    return html`
      <div class="drop-zone">
        <span class="drop-icon">${icon('image')}</span>
        <p class="drop-title">Drop images here</p>
        <p class="hint">or paste them with <kbd>Ctrl</kbd> + <kbd>V</kbd>. They are sent to this server only.</p>
        <image-picker .session=${this.session} isFirst></image-picker>
      </div>
    `;
  }

  #figure(image: PageImage, heatmap: ShownHeatmap | undefined): TemplateResult {
    return html`
      <figure class="stage">
        <div class=${heatmap ? 'stage-row stage-row-legend' : 'stage-row'}>
          <div class="stage-image">
            ${
              this.#unreadable.has(image)
                ? html`<p class="stage-unreadable">
                    This browser cannot show the image. The server may be able to read it.
                  </p>`
                : html`<div class="stage-frame">
                    <img
                      src=${image.url}
                      alt=${image.name}
                      @load=${this.#fit}
                      @error=${() => this.#markUnreadable(image)}
                    />
                    ${
                      heatmap
                        ? html`<canvas
                            width=${DRAWN_SIZE}
                            height=${DRAWN_SIZE}
                            role="img"
                            aria-label=${`Heat map for: ${heatmap.text}`}
                          ></canvas>`
                        : nothing
                    }
                  </div>`
            }
          </div>
          ${heatmap ? heatmapLegend(heatmap) : nothing}
        </div>
        ${heatmap ? this.#heatmapControls() : nothing}
        <figcaption class="stage-caption">
          <span class="stage-name" title=${image.name}>${image.name}</span>
          <button
            class="button button-quiet"
            type="button"
            aria-label=${`Remove ${image.name}`}
            @click=${() => this.#remove(image)}
          >
            ${icon('trash')} Remove
          </button>
        </figcaption>
      </figure>
    `;
  }

  #heatmapControls(): TemplateResult {
    return html`
      <div class="stage-controls">
        <label class="label" for="heatmap-opacity">Opacity of the map</label>
        <input
          id="heatmap-opacity"
          type="range"
          min="0"
          max="1"
          step="0.05"
          .value=${String(this.#opacity)}
          @input=${({ target }: Event) => {
            this.#opacity = Number((target as HTMLInputElement).value);
            this.requestUpdate();
          }}
        />
        <button class="button button-quiet" type="button" @click=${this.#closeHeatmap}>${icon('close')} Hide</button>
      </div>
    `;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    const canvas = this.querySelector('canvas');
    const { heatmap } = this.session;
    if (canvas) canvas.style.opacity = String(this.#opacity);
    if (canvas && heatmap && (heatmap !== this.#drawn || canvas.dataset['drawn'] === undefined)) {
      draw(canvas, heatmap);
      canvas.dataset['drawn'] = '';
    }
    this.#drawn = heatmap;
  }

  #fit({ target }: Event): void {
    const { naturalWidth, naturalHeight, parentElement } = target as HTMLImageElement;
    if (naturalHeight > 0) parentElement?.style.setProperty('--ratio', String(naturalWidth / naturalHeight));
  }

  #markUnreadable(image: PageImage): void {
    this.#unreadable.add(image);
    this.requestUpdate();
  }

  async #closeHeatmap(): Promise<void> {
    this.session.showHeatmap(undefined);
    // The button that had the focus is gone.
    (await this.rendered('.stage-caption button'))?.focus();
  }

  async #remove(image: PageImage): Promise<void> {
    this.session.remove(image);
    await this.updateComplete;
    await this.querySelector<PageElement>('image-picker')?.updateComplete;
    this.querySelector<HTMLElement>('.stage-caption button, image-picker button')?.focus();
  }
}

function draw(canvas: HTMLCanvasElement, { rows, columns, shares }: ShownHeatmap): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const { width, height } = canvas;
  const image = context.createImageData(width, height);
  const map = { rows, columns, values: shares };
  for (let y = 0, out = 0; y < height; y++)
    for (let x = 0; x < width; x++, out += 4)
      image.data.set([...colorOf(valueAt(map, (x + 0.5) / width, (y + 0.5) / height)), 255], out);
  context.putImageData(image, 0, 0);
}

customElements.define('image-stage', ImageStage);
