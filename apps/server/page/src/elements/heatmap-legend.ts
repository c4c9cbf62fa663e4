import { html, svg, type TemplateResult } from 'lit';

import { COLOR_STOPS } from '../state/color-scale.ts';
import type { ShownHeatmap } from '../state/page-session.ts';

/** The color scale of a heat map with its ends. */
export function heatmapLegend({ largest, unit, text }: ShownHeatmap): TemplateResult {
  const high = largest.toPrecision(3);
  return html`
    <div class="legend">
      <p class="legend-title">${text}</p>
      <div class="legend-scale">
        <svg viewBox="0 0 10 100" preserveAspectRatio="none" role="img" aria-label=${`Color scale from 0 to ${high}`}>
          <defs>
            <linearGradient id="legend-colors" x1="0" y1="1" x2="0" y2="0">
              ${COLOR_STOPS.map(
                (color, index) =>
                  svg`<stop offset=${index / (COLOR_STOPS.length - 1)} stop-color=${`rgb(${color.join(' ')})`}></stop>`,
              )}
            </linearGradient>
          </defs>
          <rect width="10" height="100" fill="url(#legend-colors)"></rect>
        </svg>
        <ol class="legend-ticks" aria-hidden="true">
          <li>+${high}</li>
          <li>+${(largest / 2).toPrecision(3)}</li>
          <li>0</li>
        </ol>
      </div>
      <p class="hint">What a region adds to the ${unit}</p>
    </div>
  `;
}
