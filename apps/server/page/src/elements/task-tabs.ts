import { html, nothing, type TemplateResult } from 'lit';

import type { Task } from '../state/model-choice.ts';
import { icon, type IconName } from './icons.ts';
import { PageElement } from './page-element.ts';

interface TabDefinition {
  readonly name: string;
  readonly label: string;
  readonly icon: IconName;
  /** The tasks of which one must be supported. */
  readonly tasks: readonly Task[];
}

const TABS: readonly TabDefinition[] = [
  { name: 'caption', label: 'Caption', icon: 'caption', tasks: ['write'] },
  { name: 'ask', label: 'Ask', icon: 'ask', tasks: ['write'] },
  { name: 'chat', label: 'Chat', icon: 'chat', tasks: ['write'] },
  { name: 'choose', label: 'Choose', icon: 'choose', tasks: ['rank'] },
  { name: 'match', label: 'Match', icon: 'match', tasks: ['match'] },
  { name: 'heatmap', label: 'Heat map', icon: 'heatmap', tasks: ['match', 'write'] },
  { name: 'search', label: 'Search', icon: 'search', tasks: ['embed'] },
];

/** One tab per task. Tasks that the models do not support have their tab, too: its view has the reason. */
export class TaskTabs extends PageElement {
  #chosen = 'caption';

  protected override render(): TemplateResult {
    return html`
      <div class="tabs" role="tablist" aria-label="Tasks" @keydown=${this.#key}>
        ${TABS.map((tab) => this.#tab(tab))}
      </div>
      ${TABS.map(({ name }) => this.#panel(name))}
    `;
  }

  #tab({ name, label, icon: iconName, tasks }: TabDefinition): TemplateResult {
    const isChosen = name === this.#chosen;
    const isMissing = this.session.models.length > 0 && tasks.every((task) => !this.session.modelFor(task).model);
    return html`
      <button
        class=${isMissing ? 'tab tab-missing' : 'tab'}
        type="button"
        role="tab"
        id=${`tab-${name}`}
        aria-controls=${`panel-${name}`}
        aria-selected=${isChosen ? 'true' : 'false'}
        tabindex=${isChosen ? 0 : -1}
        @click=${() => this.#choose(name)}
      >
        ${icon(iconName)} <span>${label}</span>${
          isMissing ? html`<span class="visually-hidden"> (not available)</span>` : nothing
        }
      </button>
    `;
  }

  #panel(name: string): TemplateResult {
    return html`
      <div
        class="panel"
        role="tabpanel"
        id=${`panel-${name}`}
        aria-labelledby=${`tab-${name}`}
        ?hidden=${name !== this.#chosen}
      >
        ${this.#view(name)}
      </div>
    `;
  }

  #view(name: string): TemplateResult {
    const { session } = this;
    switch (name) {
      case 'caption':
        return html`<caption-view .session=${session}></caption-view>`;
      case 'ask':
        return html`<ask-view .session=${session}></ask-view>`;
      case 'chat':
        return html`<chat-view .session=${session}></chat-view>`;
      case 'choose':
        return html`<choose-view .session=${session}></choose-view>`;
      case 'match':
        return html`<match-view .session=${session}></match-view>`;
      case 'heatmap':
        return html`<heatmap-view .session=${session}></heatmap-view>`;
      default:
        return html`<search-view .session=${session}></search-view>`;
    }
  }

  #choose(name: string): void {
    this.#chosen = name;
    this.requestUpdate();
  }

  async #key(event: KeyboardEvent): Promise<void> {
    const at = TABS.findIndex(({ name }) => name === this.#chosen);
    const next: Readonly<Record<string, number>> = {
      ArrowRight: (at + 1) % TABS.length,
      ArrowLeft: (at + TABS.length - 1) % TABS.length,
      Home: 0,
      End: TABS.length - 1,
    };
    const index = next[event.key];
    if (index === undefined) return;
    event.preventDefault();
    this.#choose(TABS[index]?.name ?? this.#chosen);
    const tab = await this.rendered('[role="tab"][aria-selected="true"]');
    tab?.focus();
    tab?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
}

customElements.define('task-tabs', TaskTabs);
