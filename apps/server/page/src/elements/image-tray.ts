import { html, nothing, type TemplateResult } from 'lit';

import type { PageImage } from '../state/image-files.ts';
import { counted } from '../state/page-session.ts';
import { icon } from './icons.ts';
import { PageElement } from './page-element.ts';

/** How far each key moves the selection; rows differ in length, so that up and down move by one as well. */
const STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowUp: -1,
  ArrowRight: 1,
  ArrowDown: 1,
  Home: -Infinity,
  End: Infinity,
};

/** All images as thumbnails. A list box: one stop of the Tab key, arrow keys select, Delete removes. */
export class ImageTray extends PageElement {
  protected override render(): TemplateResult | typeof nothing {
    const { images, selected } = this.session;
    if (images.length === 0) return nothing;
    return html`
      <section class="tray" aria-label="Images">
        <div class="tray-head">
          <h2 class="tray-title">${counted(images.length, 'image')}</h2>
          ${
            images.length > 1
              ? html`<button class="button button-quiet" type="button" @click=${() => this.session.removeAll()}>
                  ${icon('trash')} Remove all
                </button>`
              : nothing
          }
        </div>
        <div
          class="thumbs"
          role="listbox"
          aria-label="Images"
          tabindex="0"
          aria-activedescendant=${selected ? `image-${selected.id}` : nothing}
          @keydown=${this.#key}
        >
          ${images.map((image) => this.#thumb(image, image === selected))}
        </div>
        <image-picker .session=${this.session}></image-picker>
      </section>
    `;
  }

  #thumb(image: PageImage, isSelected: boolean): TemplateResult {
    return html`
      <div
        class="thumb"
        role="option"
        id=${`image-${image.id}`}
        aria-selected=${isSelected ? 'true' : 'false'}
        aria-label=${image.name}
        title=${image.name}
        @click=${() => this.session.select(image)}
      >
        <img src=${image.url} alt="" loading="lazy" decoding="async" />
      </div>
    `;
  }

  #key(event: KeyboardEvent): void {
    const { images, selected } = this.session;
    if (!selected) return;
    if (event.key === 'Delete' || event.key === 'Backspace') this.session.remove(selected);
    else {
      const step = STEPS[event.key];
      if (step === undefined) return;
      const at = Math.max(0, Math.min(images.length - 1, images.indexOf(selected) + step));
      const image = images[at];
      if (image) this.session.select(image);
    }
    event.preventDefault();
    void this.updateComplete.then(() =>
      this.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' }),
    );
  }
}

customElements.define('image-tray', ImageTray);
