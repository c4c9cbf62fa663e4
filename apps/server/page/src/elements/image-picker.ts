import { html, nothing, type TemplateResult } from 'lit';

import exampleUrl from '../assets/example.webp';
import { icon } from './icons.ts';
import { PageElement } from './page-element.ts';

/** Buttons that add images: files, a folder, or the example. */
export class ImagePicker extends PageElement {
  static override properties = { ...PageElement.properties, isFirst: { type: Boolean } };
  /** There are no images yet: the example is offered, too. */
  declare isFirst: boolean;

  protected override render(): TemplateResult {
    return html`
      <div class="actions">
        <button
          class=${this.isFirst ? 'button button-primary' : 'button'}
          type="button"
          @click=${() => this.#input('files')?.click()}
        >
          ${icon('image')} ${this.isFirst ? 'Choose images' : 'Add images'}
        </button>
        <button class="button" type="button" @click=${() => this.#input('folder')?.click()}>
          ${icon('folder')} ${this.isFirst ? 'Choose a folder' : 'Add a folder'}
        </button>
        ${
          this.isFirst
            ? html`<button class="button" type="button" @click=${this.#addExample}>Try an example</button>`
            : nothing
        }
      </div>
      <input class="pick-files" type="file" accept="image/*" multiple hidden @change=${this.#add} />
      <input class="pick-folder" type="file" webkitdirectory hidden @change=${this.#add} />
    `;
  }

  #input(name: 'files' | 'folder'): HTMLInputElement | null {
    return this.querySelector(`.pick-${name}`);
  }

  #add({ target }: Event): void {
    const input = target as HTMLInputElement;
    this.session.addFiles([...(input.files ?? [])]);
    // The same files can be chosen again.
    input.value = '';
  }

  async #addExample(): Promise<void> {
    try {
      const blob = await (await fetch(exampleUrl)).blob();
      this.session.addFiles([new File([blob], 'example.webp', { type: 'image/webp' })]);
    } catch {
      this.session.announce('The example cannot be loaded: the server does not answer.');
    }
  }
}

customElements.define('image-picker', ImagePicker);
