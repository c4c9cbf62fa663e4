import { html, nothing, type TemplateResult } from 'lit';

import { icon } from './icons.ts';
import { PageElement } from './page-element.ts';

const DARK = '(prefers-color-scheme: dark)';

/** Name, state of the server, theme switch and settings. */
export class PageHeader extends PageElement {
  readonly #systemTheme = matchMedia(DARK);
  readonly #onSystemTheme = (): void => this.requestUpdate();

  override connectedCallback(): void {
    super.connectedCallback();
    this.#systemTheme.addEventListener('change', this.#onSystemTheme);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#systemTheme.removeEventListener('change', this.#onSystemTheme);
  }

  protected override render(): TemplateResult {
    const { theme } = this.session.settings;
    const isDark = theme === 'dark' || (theme === 'system' && this.#systemTheme.matches);
    return html`
      <header class="page-header">
        <h1 class="brand"><img src="./favicon.svg" alt="" width="28" height="28" /> BLIP-2</h1>
        ${this.#status()}
        <button
          class="button button-icon"
          type="button"
          aria-label=${isDark ? 'Use the light theme' : 'Use the dark theme'}
          title=${isDark ? 'Light theme' : 'Dark theme'}
          @click=${() => this.session.changeSettings({ theme: isDark ? 'light' : 'dark' })}
        >
          ${icon(isDark ? 'sun' : 'moon')}
        </button>
        <button
          class="button button-icon"
          type="button"
          aria-label="Settings"
          title="Settings"
          aria-haspopup="dialog"
          @click=${() => this.dispatchEvent(new CustomEvent('open-settings', { bubbles: true }))}
        >
          ${icon('settings')}
        </button>
      </header>
    `;
  }

  #status(): TemplateResult | typeof nothing {
    const { isConnected, models, modelsError } = this.session;
    if (!isConnected) return html`<p class="status status-bad"><span class="dot"></span>Not connected</p>`;
    if (modelsError !== undefined) return html`<p class="status status-bad"><span class="dot"></span>No access</p>`;
    if (models.length === 0) return html`<p class="status"><span class="dot"></span>Connecting…</p>`;
    const names = models.map(({ id }) => id).join(', ');
    return html`<p class="status status-good" title=${names}>
      <span class="dot"></span><span class="status-names">${names}</span>
    </p>`;
  }
}

customElements.define('page-header', PageHeader);
