-- report/style.lua: how the page looks. Colours of series are those of Okabe and Ito, which people who see fewer
-- colours tell apart, darker or lighter where the background asks for it.
return [[
:root {
  color-scheme: light dark;
  --back: #fff; --text: #1c2128; --muted: #656f7c; --rule: #dfe3e8; --soft: #f5f7f9; --strong: #39424e;
  --c1: #0072b2; --c2: #d55e00; --c3: #009e73; --c4: #b3568a;
  --c5: #b98500; --c6: #3f9bd8; --c7: #5c4b99; --c8: #7a7a7a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #101418; --text: #e4e8ec; --muted: #98a3ae; --rule: #2a323a; --soft: #181e24; --strong: #c3cbd3;
    --c1: #4aa3e0; --c2: #ff8a47; --c3: #2fc798; --c4: #e793c2;
    --c5: #edb53a; --c6: #95d8f7; --c7: #b0a2f0; --c8: #a5a5a5;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans",
    sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1180px; margin: 0 auto; padding: 40px 28px 72px; }
h1 {
  font-size: 30px; line-height: 1.2; font-weight: 650; letter-spacing: -.015em; margin: 0 0 4px;
  overflow-wrap: anywhere;
}
h2 { font-size: 19px; font-weight: 650; letter-spacing: -.005em; margin: 52px 0 14px; }
h3 { font-size: 15px; font-weight: 650; margin: 26px 0 10px; }
p { margin: 0 0 12px; max-width: 76ch; }
.sub, .note { color: var(--muted); }
.note { font-size: 13.5px; }
.scroll + .note { margin-top: 12px; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12.5px; }
code { background: var(--soft); padding: 1px 5px; border-radius: 4px; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: 12px 14px; border-radius: 8px; overflow-x: auto; line-height: 1.45; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 0 32px; margin: 28px 0 8px; }
.tiles div { border-top: 2px solid var(--strong); padding: 10px 0 12px; }
.tiles b { display: block; font-size: 28px; line-height: 1.25; font-weight: 600; letter-spacing: -.02em; }
.tiles span { display: block; color: var(--muted); font-size: 13px; line-height: 1.4; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th { text-align: left; font-weight: 600; color: var(--muted); font-size: 12.5px; vertical-align: bottom; }
th, td {
  padding: 6px 22px 6px 0; border-bottom: 1px solid var(--rule); overflow-wrap: break-word; vertical-align: baseline;
}
td { max-width: 420px; }
th, td.n, .whole { white-space: nowrap; }
th.n, td.n { text-align: right; }
td small { color: var(--muted); font-size: 12.5px; }
tr.differs td { font-weight: 600; }
.best { font-weight: 650; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 8px; }
.legend {
  list-style: none; margin: 0 0 16px; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 24px; font-size: 14px;
}
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 28px 36px; }
figure { margin: 0; min-width: 0; }
figcaption { display: flex; flex-wrap: wrap; gap: 0 16px; align-items: baseline; font-size: 13px; margin-bottom: 6px; }
figcaption b { font-size: 14px; font-weight: 600; }
figcaption span { color: var(--muted); }
.chart svg[data-plot] { display: block; width: 100%; height: auto; overflow: visible; touch-action: pan-y; }
svg.key { width: 26px; height: 8px; margin-right: 6px; vertical-align: middle; }
svg text { font-size: 12px; fill: var(--muted); }
.grid path { stroke: var(--rule); stroke-width: 1; fill: none; }
.axis path { stroke: var(--muted); stroke-width: 1; fill: none; }
.line { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; }
.dashed { stroke-dasharray: 5 4; stroke-width: 1.3; }
.mixed { stroke-dasharray: 8 4 1 4; stroke-width: 1.3; }
.dotted { stroke-dasharray: 1 4; stroke-width: 1.8; }
.point { fill: currentColor; }
.band { fill: currentColor; opacity: .17; }
.c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); } .c4 { color: var(--c4); }
.c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); } .c8 { color: var(--c8); }
.swatch { background: currentColor; }
.cursor { stroke: var(--muted); stroke-width: 1; }
#tip {
  position: absolute; display: none; pointer-events: none; z-index: 1; background: var(--back); color: var(--text);
  border: 1px solid var(--rule); border-radius: 7px; padding: 7px 10px; font-size: 12.5px; line-height: 1.5;
  box-shadow: 0 4px 16px rgb(0 0 0 / .16); max-width: 420px;
}
#tip div { display: flex; justify-content: space-between; gap: 16px; }
#tip div span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.two {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 12px 48px;
  align-items: start;
}
.matrix { width: 100%; max-width: 600px; height: auto; }
.matrix .right { fill: var(--c1); } .matrix .wrong { fill: var(--c2); }
.matrix text { font-size: 11px; fill: var(--text); }
.matrix.numbered .cell { stroke: var(--back); stroke-width: 1; }
.matrix .empty { fill: var(--soft); }
.matrix text.over { fill: #fff; }
.bars {
  display: grid; grid-template-columns: minmax(60px, max-content) 1fr max-content; gap: 5px 14px;
  font-size: 13.5px; align-items: center;
}
.bars span { overflow-wrap: anywhere; max-width: 200px; }
.bars i { display: block; height: 9px; border-radius: 2px; background: var(--c1); min-width: 1px; }
.bars u { display: block; background: var(--soft); border-radius: 2px; text-decoration: none; }
.bars em { font-style: normal; text-align: right; color: var(--muted); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)); gap: 20px 16px; }
.gallery figure { font-size: 12.5px; line-height: 1.4; overflow-wrap: anywhere; }
.gallery img {
  display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--soft); border-radius: 6px;
  margin-bottom: 6px;
}
.gallery img.small { image-rendering: pixelated; }
.gallery small { color: var(--muted); font-size: 12px; }
details { margin: 0 0 12px; }
summary { cursor: pointer; color: var(--muted); font-size: 14px; }
details[open] summary { margin-bottom: 10px; }
footer { margin-top: 56px; padding-top: 14px; border-top: 1px solid var(--rule); color: var(--muted); font-size: 13px; }
@media print { #tip { display: none; } details { display: block; } }
]]
