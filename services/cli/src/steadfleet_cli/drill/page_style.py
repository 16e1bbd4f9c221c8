"""How a drill's page looks: on a screen by day and by night, and in print."""

STYLE = """
:root { color-scheme: light dark; --passed: #1b6e20; --failed: #b71c1c; --doubt: #8a5a00;
  --decide: #757575; --provision: #1565c0; --restore: #7b1fa2; --start: #00707f; --validate: #2e7d32;
  --ink: #1a1a1a; --paper: #fff; --faint: #8886; --on: #fff; }
@media (prefers-color-scheme: dark) { :root { --passed: #81c784; --failed: #ff8a80; --doubt: #ffca60;
  --decide: #9e9e9e; --provision: #64b5f6; --restore: #ce93d8; --start: #4dd0e1; --validate: #81c784;
  --ink: #e8e8e8; --paper: #161616; --on: #111; } }
@media print { :root { color-scheme: light; --passed: #1b6e20; --failed: #b71c1c; --doubt: #8a5a00;
  --decide: #757575; --provision: #1565c0; --restore: #7b1fa2; --start: #00707f; --validate: #2e7d32;
  --ink: #000; --paper: #fff; --on: #fff; }
  body { max-width: none; margin: 0; font-size: 10pt; } svg, tr, .verdicts { break-inside: avoid; }
  h2 { break-after: avoid; } svg * { print-color-adjust: exact; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: .25rem; } h2 { margin-top: 2.25rem; } h3 { margin: 1.25rem 0 .25rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top; overflow-wrap: anywhere; }
th { overflow-wrap: normal; } td.short { white-space: nowrap; }
thead th { border-bottom: 1px solid var(--faint); } td, tbody th { border-bottom: 1px solid var(--faint); }
.facts th { width: 11rem; font-weight: 600; } .verdicts td:first-child { white-space: nowrap; }
ul { margin: .25rem 0; padding-left: 1.25rem; } .path { font-weight: 600; }
.verdict { display: inline-block; padding: 0 .5rem; border: 2px solid; font-weight: 700;
  white-space: nowrap; }
.passed { color: var(--passed); } .failed { color: var(--failed); border-style: double; border-width: 4px; }
.not_proven { color: var(--doubt); border-style: dashed; } .none { border-style: dotted; }
.urgent { border: 3px solid var(--failed); padding: .5rem 1rem; margin: 1rem 0; }
svg { width: 100%; height: auto; margin: .5rem 0; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .note, svg .value, svg .said { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
svg .critical, svg .title { font-weight: 700; } .tick, .mark, .value, .inside { text-anchor: middle; }
svg .tick { opacity: .75; font-size: 11px; } svg .to-left { text-anchor: end; }
svg .inside { fill: var(--on); font-size: 11px; }
.grid { stroke: var(--faint); stroke-width: .6; } .squeezed { fill: var(--faint); opacity: .35; }
rect.decide { fill: var(--decide); } rect.provision { fill: var(--provision); }
rect.restore { fill: var(--restore); } rect.start { fill: var(--start); }
rect.validate { fill: var(--validate); }
rect.phase.critical { stroke: var(--ink); stroke-width: 2.5; }
rect.undone { fill: none; stroke: var(--failed); stroke-width: 2; stroke-dasharray: 5 3; }
rect.standing { fill: none; stroke: var(--decide); stroke-width: 1; }
line.hatch { stroke: var(--decide); stroke-width: 13; stroke-dasharray: 1.5 3; }
rect.good { fill: var(--passed); } rect.bad { fill: var(--failed); }
rect.teardown { fill: none; stroke: var(--decide); stroke-width: 1.5; }
line.declared { stroke: var(--ink); stroke-width: 2; }
line.recovered { stroke: var(--passed); stroke-width: 2; }
line.rto { stroke: var(--failed); stroke-width: 2; stroke-dasharray: 8 4; }
rect.uncertain { fill: var(--passed); opacity: .22; } svg .said { font-weight: 600; }
line.joint { stroke: var(--decide); stroke-width: 1.5; } line.blur { stroke: var(--ink); stroke-width: 1.5; }
circle.dot { fill: var(--paper); stroke: var(--decide); stroke-width: 2; } svg .mark { font-weight: 700; }
circle.passed { stroke: var(--passed); } circle.failed { stroke: var(--failed); stroke-width: 4; }
circle.not_proven { stroke: var(--doubt); stroke-dasharray: 3 2; }
@media (max-width: 40rem) { body { margin: .5rem auto; } .facts th { width: 7rem; } }
""".strip()
