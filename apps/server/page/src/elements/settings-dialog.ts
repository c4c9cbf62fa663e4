import { html, nothing, type TemplateResult } from 'lit';

import { GENERATION_OPTIONS, type GenerationOption, optionProblem } from '../state/generation-settings.ts';
import { modelFor, supports, type Task } from '../state/model-choice.ts';
import type { Theme } from '../state/settings.ts';
import { icon } from './icons.ts';
import { PageElement } from './page-element.ts';

const THEMES: readonly { readonly theme: Theme; readonly label: string }[] = [
  { theme: 'system', label: 'As the system' },
  { theme: 'light', label: 'Light' },
  { theme: 'dark', label: 'Dark' },
];

/** Models, generation, key and theme. Changes apply at once, and are kept in this browser. */
export class SettingsDialog extends PageElement {
  show(): void {
    this.querySelector('dialog')?.showModal();
  }

  protected override render(): TemplateResult {
    return html`
      <dialog class="dialog" aria-labelledby="settings-title" @click=${this.#closeOutside}>
        <div class="dialog-body">
          <header class="dialog-head">
            <h2 id="settings-title">Settings</h2>
            <button class="button button-icon" type="button" aria-label="Close" @click=${this.#close}>
              ${icon('close')}
            </button>
          </header>
          <section class="dialog-section">
            <h3>Models</h3>
            ${this.#modelSelect('write', 'For captions, questions and choices', this.session.settings.textModel)}
            ${this.#modelSelect('match', 'For matches and search', this.session.settings.matchModel)}
          </section>
          <section class="dialog-section">
            <h3>Generation</h3>
            <p class="hint">Empty fields have the default of the server.</p>
            <div class="field-grid">${GENERATION_OPTIONS.map((option) => this.#option(option))}</div>
            <div class="actions">
              <button class="button" type="button" @click=${() => this.session.changeSettings({ generation: {} })}>
                Reset
              </button>
            </div>
          </section>
          ${this.#access()} ${this.#appearance()}
        </div>
      </dialog>
    `;
  }

  #modelSelect(task: Task, label: string, chosen: string): TemplateResult {
    const { models, settings } = this.session;
    const id = `settings-model-${task}`;
    const field = task === 'match' ? 'matchModel' : 'textModel';
    const { model, problem } = modelFor(task, models, settings);
    const current = models.some(({ id: name }) => name === chosen) ? chosen : (model?.id ?? '');
    return html`
      <label class="label" for=${id}>${label}</label>
      <select
        class="input"
        id=${id}
        aria-describedby=${problem === undefined ? nothing : `${id}-problem`}
        ?disabled=${!model}
        @change=${({ target }: Event) => this.session.changeSettings({ [field]: (target as HTMLSelectElement).value })}
      >
        ${model ? nothing : html`<option>None</option>`}
        ${models.map(
          (each) => html`
            <option value=${each.id} ?selected=${each.id === current} ?disabled=${!supports(each, task)}>
              ${each.id}${
                supports(each, task)
                  ? nothing
                  : task === 'match'
                    ? ' (generation model: no matches)'
                    : ' (retrieval model: no texts)'
              }
            </option>
          `,
        )}
      </select>
      ${problem === undefined ? nothing : html`<p class="hint" id=${`${id}-problem`}>${problem}</p>`}
    `;
  }

  #option(option: GenerationOption): TemplateResult {
    const { field, label, hint, min, max, step } = option;
    const text = this.session.settings.generation[field] ?? '';
    const problem = optionProblem(option, text);
    const id = `settings-${field}`;
    return html`
      <div>
        <label class="label" for=${id}>${label}</label>
        <input
          class="input"
          id=${id}
          type="number"
          inputmode="decimal"
          min=${min}
          max=${max}
          step=${step}
          placeholder="Default"
          aria-describedby=${`${id}-hint`}
          aria-invalid=${problem === undefined ? 'false' : 'true'}
          .value=${text}
          @input=${({ target }: Event) => this.#setOption(field, target as HTMLInputElement)}
        />
        <p class=${problem === undefined ? 'hint' : 'hint hint-bad'} id=${`${id}-hint`}>${problem ?? hint}</p>
      </div>
    `;
  }

  #setOption(field: string, { value, validity }: HTMLInputElement): void {
    // What is not a number has no value; it must not be taken for an empty field.
    const text = validity.badInput ? 'not a number' : value;
    if (validity.badInput) return;
    const { generation } = this.session.settings;
    this.session.changeSettings({ generation: { ...generation, [field]: text } });
  }

  #access(): TemplateResult {
    return html`
      <section class="dialog-section">
        <h3>Access</h3>
        <form
          @submit=${(event: Event) => {
            event.preventDefault();
            void this.session.loadModels();
          }}
        >
          <label class="label" for="settings-key">API key</label>
          <div class="field-row">
            <input
              class="input"
              id="settings-key"
              type="password"
              autocomplete="off"
              aria-describedby="settings-key-hint"
              .value=${this.session.settings.apiKey}
              @input=${({ target }: Event) =>
                this.session.changeSettings({ apiKey: (target as HTMLInputElement).value.trim() })}
            />
            <button class="button" type="submit">Connect</button>
          </div>
          <p class="hint" id="settings-key-hint">
            Only for servers that were started with --api-key. It is kept until this tab is closed.
          </p>
        </form>
        ${
          this.session.modelsError === undefined
            ? nothing
            : html`<error-notice .session=${this.session} .error=${this.session.modelsError}></error-notice>`
        }
      </section>
    `;
  }

  #appearance(): TemplateResult {
    return html`
      <section class="dialog-section">
        <fieldset class="choices choices-row">
          <legend><h3>Theme</h3></legend>
          ${THEMES.map(
            ({ theme, label }) => html`
              <label class="choice">
                <input
                  type="radio"
                  name="theme"
                  value=${theme}
                  .checked=${this.session.settings.theme === theme}
                  @change=${() => this.session.changeSettings({ theme })}
                />
                <span>${label}</span>
              </label>
            `,
          )}
        </fieldset>
      </section>
    `;
  }

  #close(): void {
    this.querySelector('dialog')?.close();
  }

  #closeOutside(event: Event): void {
    // The body covers the dialog: a click on the dialog itself is on its backdrop.
    if (event.target === event.currentTarget) this.#close();
  }
}

customElements.define('settings-dialog', SettingsDialog);
