import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';

import { droppedFiles } from '../state/image-files.ts';
import { PageSession } from '../state/page-session.ts';
import { icon } from './icons.ts';
import type { SettingsDialog } from './settings-dialog.ts';

/** The whole page. */
export class PageApp extends LitElement {
  readonly #session = new PageSession();
  /** Nested elements that the pointer is over while files are dragged. */
  #dragDepth = 0;

  protected override createRenderRoot(): this {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#session.listen(() => this.requestUpdate());
    void this.#session.loadModels();
    document.addEventListener('paste', this.#paste);
    document.addEventListener('dragenter', this.#dragEnter);
    document.addEventListener('dragleave', this.#dragLeave);
    document.addEventListener('dragover', this.#dragOver);
    document.addEventListener('drop', this.#drop);
    this.addEventListener('open-settings', () => this.querySelector<SettingsDialog>('settings-dialog')?.show());
  }

  protected override render(): TemplateResult {
    const session = this.#session;
    return html`
      <a class="skip-link" href="#tasks" @click=${this.#skip}>Skip to the tasks</a>
      <page-header .session=${session}></page-header>
      ${
        session.modelsError === undefined
          ? nothing
          : html`<div class="page-notice">
              <error-notice
                .session=${session}
                .error=${session.modelsError}
                .again=${() => void session.loadModels()}
              ></error-notice>
            </div>`
      }
      <main class="page-main">
        <section class="images" aria-label="Selected image">
          <image-stage .session=${session}></image-stage>
          <image-tray .session=${session}></image-tray>
        </section>
        <section class="tasks" id="tasks" aria-label="Tasks" tabindex="-1">
          <task-tabs .session=${session}></task-tabs>
        </section>
      </main>
      <settings-dialog .session=${session}></settings-dialog>
      <div class="visually-hidden" role="status" aria-live="polite">${session.announcement}</div>
      ${
        this.#dragDepth > 0
          ? html`<div class="drop-overlay" aria-hidden="true"><p>${icon('image')} Drop to add</p></div>`
          : nothing
      }
    `;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    document.documentElement.dataset['theme'] = this.#session.settings.theme;
  }

  #skip(event: Event): void {
    event.preventDefault();
    this.querySelector<HTMLElement>('#tasks')?.focus();
  }

  readonly #paste = (event: ClipboardEvent): void => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    this.#session.addFiles(files);
  };

  readonly #dragEnter = (event: DragEvent): void => this.#drag(event, 1);
  readonly #dragLeave = (event: DragEvent): void => this.#drag(event, -1);

  #drag(event: DragEvent, change: number): void {
    if (!hasFiles(event)) return;
    this.#dragDepth = Math.max(0, this.#dragDepth + change);
    this.requestUpdate();
  }

  readonly #dragOver = (event: DragEvent): void => {
    // Without this, the browser opens the file.
    if (hasFiles(event)) event.preventDefault();
  };

  readonly #drop = (event: DragEvent): void => {
    if (!event.dataTransfer || !hasFiles(event)) return;
    event.preventDefault();
    this.#dragDepth = 0;
    this.requestUpdate();
    void droppedFiles(event.dataTransfer).then((files) => this.#session.addFiles(files));
  };
}

function hasFiles({ dataTransfer }: DragEvent): boolean {
  return dataTransfer?.types.includes('Files') ?? false;
}

customElements.define('blip2-page', PageApp);
