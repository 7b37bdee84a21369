"""The look of the page: one column of plots and tables, light or dark as the reader's system is."""

CSS = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1b1f24; --muted: #5b6470; --grid: #dfe3e8;
  --line-1: #2563b8; --line-2: #c2570c; --line-3: #6b7f10;
  --good: #16703c; --good-paper: #e2f3e8; --warn: #7a4a00; --warn-paper: #fdf1d8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --panel: #1d2127; --ink: #e8eaed; --muted: #a2abb6; --grid: #343b45;
    --line-1: #76aaf2; --line-2: #f29a5c; --line-3: #b9cc52;
    --good: #7fd3a0; --good-paper: #173325; --warn: #f0c878; --warn-paper: #3a2d12;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.2rem 1.5rem 4rem; max-width: 1120px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .2rem; }
h3 { font-size: .95rem; margin: 0 0 .3rem; }
p { margin: .2rem 0 .9rem; max-width: 52rem; }
.cards + .note { margin-top: .8rem; }
.lead, figcaption, .note { color: var(--muted); }
.banner {
  background: var(--warn-paper); color: var(--warn); border-radius: 8px; padding: .65rem 1rem;
  margin: 1rem 0; max-width: none;
}
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(185px, 1fr)); gap: .8rem; }
.card { background: var(--panel); border-radius: 10px; padding: .9rem 1rem; }
.card .name { font-weight: 600; }
.card .value { font-size: 1.9rem; font-weight: 650; line-height: 1.25; }
.card .interval, .card .about { color: var(--muted); font-size: .84rem; line-height: 1.4; }
.card .value, .card .interval, td.number { font-variant-numeric: tabular-nums; }
.two { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr));
       gap: 1.6rem 2rem; align-items: start; }
.two > * { min-width: 0; }
figure { margin: 0; }
.side { display: grid; gap: 0 2rem; align-items: center;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); }
.side h3 { grid-column: 1 / -1; }
figcaption { font-size: .86rem; line-height: 1.45; margin-top: .3rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
.scroll { overflow-x: auto; }
.gap { margin-top: 1.8rem; }
.paper { margin-top: 1.6rem; }
.wide table { min-width: 64rem; }
.wide td:last-child { width: 28%; font-size: .86rem; }
.wide tbody th { min-width: 13rem; }
.wide td:nth-last-child(2) { min-width: 9.5rem; font-size: .86rem; }
.wide .bar { width: 44px; }
.paper + .two, .paper + .note + .two { margin-top: 1rem; }
.paper + .note { margin: .5rem 0 0; }
caption { text-align: left; font-weight: 650; font-size: .95rem; padding-bottom: .3rem; }
caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 2.2rem); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
thead th { font-weight: 600; color: var(--muted); font-size: .82rem; vertical-align: bottom; }
th { text-align: left; font-weight: normal; }
th small, td small { color: var(--muted); font-size: .9em; }
th, td { padding: .34rem .8rem .34rem 0; border-bottom: 1px solid var(--grid);
         vertical-align: baseline; }
th.number, td.number { text-align: right; white-space: nowrap; }
thead th.number { white-space: normal; }
code { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .92em; }
h3 small { font-weight: normal; color: var(--muted); }
.bar { display: inline-block; width: 84px; height: .55rem; border-radius: 3px; margin-right: .5rem;
       background: var(--grid); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--line-1); }
.tag { display: inline-block; padding: .06rem .5rem; margin: .1rem .3rem .1rem 0;
       border-radius: 6px; background: var(--panel); white-space: nowrap; }
.tag.hit { background: var(--good-paper); color: var(--good); }
.tag small { opacity: .8; font-variant-numeric: tabular-nums; }
.key { display: inline-block; width: .7em; height: .7em; border-radius: 50%;
       border: 2px solid var(--line-1); margin: 0 .15em 0 .1em; }
.key.yes { background: var(--line-1); }
details { margin-top: 2.4rem; }
summary { cursor: pointer; font-weight: 600; }
pre { background: var(--panel); padding: 1rem; border-radius: 8px; overflow-x: auto;
      font-size: .8rem; line-height: 1.45; }
footer { margin-top: 2.6rem; color: var(--muted); font-size: .85rem; }
@media (max-width: 640px) {
  body { padding: 1.2rem .9rem 3rem; }
  h1 { overflow-wrap: anywhere; }
  .bar { width: 48px; }
  .wide tbody th { min-width: 8rem; }
  th[scope="row"] { position: sticky; left: 0; background: var(--paper); max-width: 8rem; }
}
@media print {
  :root { color-scheme: light; --paper: #ffffff; --panel: #f6f7f9; --ink: #1b1f24;
    --muted: #4a525c; --grid: #cfd4da; --line-1: #2563b8; --line-2: #c2570c; --line-3: #6b7f10;
    --good: #16703c; --good-paper: #e2f3e8; --warn: #7a4a00; --warn-paper: #fdf1d8; }
  body { max-width: none; padding: 0; font-size: 12px; print-color-adjust: exact; }
  .scroll { overflow: visible; }
  .wide table { min-width: 0; font-size: .7rem; }
  .wide th, .wide td { padding-right: .45rem; }
  .wide .bar { display: none; }
  .wide td:last-child { min-width: 16rem; font-size: inherit; }
  .wide td:nth-last-child(2) { min-width: 5rem; font-size: inherit; }
  figure, .card, tr { break-inside: avoid; }
  h2, h2 + p, h3, caption { break-after: avoid; }
  .two, .side { grid-template-columns: 1fr 1fr; }
  figcaption, .note { font-size: .72rem; }
  .wide tbody th { min-width: 6rem; }
}
"""
