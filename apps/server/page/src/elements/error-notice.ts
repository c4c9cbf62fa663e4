import { html, nothing, type TemplateResult } from 'lit';

import { adviceFor } from '../api/error-advice.ts';
import { icon } from './icons.ts';
import { PageElement } from './page-element.ts';

/** The only way in which errors are shown: what happened, the code and message of the server, and what to do. */
export class ErrorNotice extends PageElement {
  static override properties = { ...PageElement.properties, error: { attribute: false }, again: { attribute: false } };
  declare error: unknown;
  /** Sends the same request again. Absent: that is offered for no error. */
  declare again: (() => void) | undefined;

  protected override render(): TemplateResult | typeof nothing {
    if (this.error === undefined) return nothing;
    const { title, code, message, advice, canRetry, needsSettings } = adviceFor(this.error);
    return html`
      <div class="notice notice-error" role="alert">
        ${icon('warning')}
        <div class="notice-body">
          <p class="notice-title">${title}</p>
          <p>${advice}</p>
          <p class="notice-detail"><code>${code}</code> ${message}</p>
          <div class="actions">
            ${canRetry && this.again ? html`<button class="button" @click=${this.again}>Try again</button>` : nothing}
            ${
              needsSettings ? html`<button class="button" @click=${this.#openSettings}>Open settings</button>` : nothing
            }
          </div>
        </div>
      </div>
    `;
  }

  #openSettings(): void {
    this.dispatchEvent(new CustomEvent('open-settings', { bubbles: true }));
  }
}

customElements.define('error-notice', ErrorNotice);
