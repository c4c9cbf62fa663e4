/** Style sheet of a contact sheet, for light and dark screens and for print. */
export const SHEET_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f6f4; --card: #fff; --ink: #1c1c1a; --soft: #6b6b66; --line: #e2e2dd; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #161615; --card: #222220; --ink: #ecece8; --soft: #a0a09a; --line: #34342f; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 1.5rem; display: flex; flex-direction: column;
  background: var(--page); color: var(--ink); font: 15px/1.45 system-ui, sans-serif;
}
header, footer { order: -1; }
h1 { margin: 0; font-size: 1.25rem; }
p { margin: 0; }
header p, footer p, .name, .label { color: var(--soft); font-size: .85rem; }
footer { margin-bottom: 1.25rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: 1rem; }
figure {
  margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden;
  content-visibility: auto; contain-intrinsic-size: auto 18rem;
}
.frame { height: 12rem; display: grid; place-items: center; background: var(--page); }
img { max-width: 100%; max-height: 12rem; width: auto; height: auto; display: block; }
figcaption { padding: .6rem .8rem .8rem; overflow-wrap: anywhere; }
.label { margin-top: .4rem; }
.name { margin-top: .5rem; font-family: ui-monospace, monospace; font-size: .75rem; }
.failed { border-color: var(--bad); }
.bad { color: var(--bad); }
@media print { body { padding: 0; } figure { break-inside: avoid; } }
`;
