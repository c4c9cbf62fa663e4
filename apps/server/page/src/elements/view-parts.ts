import { html, nothing, type TemplateResult } from 'lit';

import type { PageImage } from '../state/image-files.ts';
import type { ModelChoice } from '../state/model-choice.ts';
import { isDemo } from '../state/model-choice.ts';
import type { PageSession } from '../state/page-session.ts';
import { icon, type IconName } from './icons.ts';
import type { TaskRun } from './task-run.ts';

/** Title and explanation of a view. */
export function viewHead(title: string, explanation: string): TemplateResult {
  return html`<header class="view-head">
    <h2>${title}</h2>
    <p>${explanation}</p>
  </header>`;
}

/** Why a view cannot be used with the models of the server; nothing if it can. */
export function unsupportedNotice({ problem }: ModelChoice): TemplateResult | typeof nothing {
  if (problem === undefined) return nothing;
  return html`<div class="notice notice-info">
    ${icon('info')}
    <div class="notice-body">
      <p class="notice-title">Not available with this server</p>
      <p>${problem}</p>
    </div>
  </div>`;
}

/** The button of a view, which stops its task while it runs. */
export function runButton(
  label: string,
  name: IconName,
  { isBusy, isDisabled, stop }: { readonly isBusy: boolean; readonly isDisabled: boolean; readonly stop: () => void },
): TemplateResult {
  // One element in both states, so that it keeps the focus.
  return html`<button
    class=${isBusy ? 'button button-stop' : 'button button-primary'}
    type=${isBusy ? 'button' : 'submit'}
    ?disabled=${isDisabled && !isBusy}
    @click=${isBusy ? (event: Event) => (event.preventDefault(), stop()) : nothing}
  >
    ${icon(isBusy ? 'stop' : name)} ${isBusy ? 'Stop' : label}
  </button>`;
}

/** The error of a view about an image. */
export function failureOf(session: PageSession, run: TaskRun, subject: unknown): TemplateResult | typeof nothing {
  const failure = run.failure(subject);
  if (!failure) return nothing;
  return html`<error-notice .session=${session} .error=${failure.error} .again=${failure.again}></error-notice>`;
}

/** What to do first. */
export function imageNeeded(image: PageImage | undefined): TemplateResult | typeof nothing {
  return image ? nothing : html`<p class="hint">Add an image first.</p>`;
}

/** Which model answered. */
export function modelNote({ model }: ModelChoice): TemplateResult | typeof nothing {
  if (!model) return nothing;
  return html`<p class="hint">
    Model: <span class="model-name">${model.id}</span>${
      isDemo(model) ? html`, a demo that only knows drawn shapes: its results for photographs mean nothing.` : nothing
    }
  </p>`;
}
