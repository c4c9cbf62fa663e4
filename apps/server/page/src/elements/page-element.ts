import { LitElement, type PropertyDeclarations } from 'lit';

import type { PageSession } from '../state/page-session.ts';

/**
 * An element that renders without a shadow root, so that labels, focus and the styles of the page reach into it, and
 * that renders again whenever the session changes.
 */
export abstract class PageElement extends LitElement {
  static override properties: PropertyDeclarations = { session: { attribute: false } };
  declare session: PageSession;
  #unlisten: (() => void) | undefined;

  protected override createRenderRoot(): this {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unlisten = this.session.listen(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unlisten?.();
  }

  /** The first element of this one that matches a selector, after the current rendering. */
  protected async rendered<Found extends HTMLElement>(selector: string): Promise<Found | null> {
    await this.updateComplete;
    return this.querySelector<Found>(selector);
  }
}
