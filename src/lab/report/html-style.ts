/** The look of the report: light and dark as the reader's system has it; contrast of text 4.5:1 or more. */
export const STYLE = `
:root{color-scheme:light dark;--page:#fbfbf9;--ink:#1d1d1b;--quiet:#5c5c57;--line:#dcdcd6;--box:#fff;
--good:#1b6e3c;--bad:#b3261e;--wait:#8b8b84;--move:#2a6fb8;--act:#8a5a00;--on:#fff;
--c0:#2a6fb8;--c1:#8a5a00;--c2:#7a3e9d;--c3:#1b6e3c}
@media(prefers-color-scheme:dark){:root{--page:#1a1a19;--ink:#ececea;--quiet:#a9a9a3;--line:#3b3b38;
--box:#232322;--good:#6fcf97;--bad:#ff8a80;--wait:#8d8d86;--move:#7ab4f0;--act:#e0b050;--on:#111;
--c0:#7ab4f0;--c1:#e0b050;--c2:#cf9bea;--c3:#6fcf97}}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:24px}h2{font-size:18px;margin-top:36px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--quiet);font-weight:600}td{font-variant-numeric:tabular-nums}
.tiles{display:flex;flex-wrap:wrap;gap:10px;margin:20px 0}
.tile{flex:1 1 150px;background:var(--box);border:1px solid var(--line);border-radius:6px;padding:10px 12px}
.tile b{font-size:24px}.tile small{display:block;color:var(--quiet)}
.tile.good b{color:var(--good)}.tile.bad b{color:var(--bad)}
details{background:var(--box);border:1px solid var(--line);border-radius:6px;margin:8px 0;padding:8px 14px}
summary{cursor:pointer;overflow-wrap:anywhere}
.badge{border:1px solid;border-radius:4px;padding:1px 7px;font-size:13px;font-weight:600}
.badge.good{color:var(--good)}.badge.bad{color:var(--bad)}
.failure{border-left:4px solid var(--bad);padding-left:12px;margin:12px 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;font-size:14px}
dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}
.quiet{color:var(--quiet)}
svg{width:100%;height:auto;margin:10px 0}
svg .label{fill:var(--quiet);font-size:11px}svg .in-bar{fill:var(--on);font-size:11px}
svg .grid{stroke:var(--line);stroke-width:1}svg .deed{fill:var(--ink);stroke:var(--ink)}
.tone-wait{fill:var(--wait)}.tone-move{fill:var(--move)}.tone-act{fill:var(--act)}
.tone-good{fill:var(--good)}.tone-bad{fill:var(--bad)}
.curve{fill:none;stroke-width:2}.end{stroke:var(--box);stroke-width:2}
polyline.curve-0{stroke:var(--c0)}polyline.curve-1{stroke:var(--c1)}
polyline.curve-2{stroke:var(--c2)}polyline.curve-3{stroke:var(--c3)}
circle.curve-0{fill:var(--c0)}circle.curve-1{fill:var(--c1)}
circle.curve-2{fill:var(--c2)}circle.curve-3{fill:var(--c3)}
`.replaceAll('\n', '');
