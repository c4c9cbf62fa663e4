import { html, type TemplateResult } from 'lit';

import type { ScoredText } from '../api/types.ts';

const PERCENT = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });

/** A share as a percentage that does not round what is uncertain to 0 or 100 %. */
export function percent(share: number): string {
  if (share > 0 && share < 0.001) return '< 0.1%';
  if (share < 1 && share > 0.999) return '> 99.9%';
  return PERCENT.format(share);
}

/** A bar from 0 to 1. SVG, because the content security policy allows no inline styles. */
export function bar(share: number, className = ''): TemplateResult {
  return html`<svg class="bar ${className}" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
    <rect class="bar-track" width="100" height="1"></rect>
    <rect class="bar-fill" width=${Math.max(0, Math.min(100, share * 100))} height="1"></rect>
  </svg>`;
}

/** Texts with their probabilities as bars, the best one first. */
export function scoreList(label: string, scores: readonly ScoredText[]): TemplateResult {
  const sorted = scores.toSorted((a, b) => b.probability - a.probability);
  return html`
    <ol class="scores" aria-label=${label}>
      ${sorted.map(
        ({ text, probability }, index) => html`
          <li class=${index === 0 ? 'score score-best' : 'score'}>
            <span class="score-text">${text}</span>
            <span class="score-value">${percent(probability)}</span>
            ${bar(probability)}
          </li>
        `,
      )}
    </ol>
  `;
}
