/** Grafana's JSON of a board, as its dashboard model (schema 39, Grafana 10.4 and later) has it. */
import type { Board, Panel } from "./boards.ts";

const SCHEMA_VERSION = 39;
/** Grafana's grid has 24 columns. */
const COLUMNS = 24;
const [WIDTH, HEIGHT] = [8, 8];

const datasource = { type: "prometheus", uid: "${datasource}" };

/** The file's text. */
export const dashboardJson = (board: Board): string => `${JSON.stringify(dashboard(board), undefined, 2)}\n`;

function dashboard(board: Board) {
  return {
    uid: `paceline-${board.name}`,
    title: board.title,
    description: board.about,
    tags: ["paceline"],
    timezone: "browser",
    editable: true,
    graphTooltip: 1,
    schemaVersion: SCHEMA_VERSION,
    time: { from: "now-1h", to: "now" },
    refresh: "30s",
    links: [
      {
        ...{ title: "Paceline", type: "dashboards", tags: ["paceline"], asDropdown: false, icon: "external link" },
        ...{ tooltip: "", includeVars: false, keepTime: true, targetBlank: false },
      },
    ],
    annotations: { list: [] },
    templating: { list: variables(board) },
    panels: board.panels.map(grafanaPanel),
  };
}

function variables({ ofNodes = false }: Board): object[] {
  const source = { name: "datasource", label: "Data source", type: "datasource", query: "prometheus", hide: 0 };
  if (!ofNodes) return [source];
  const query = "label_values(paceline_node_limit_slots, node)";
  return [
    source,
    {
      ...{ name: "node", label: "Node", type: "query", datasource, query, hide: 0 },
      ...{ includeAll: true, multi: true, allValue: ".*", refresh: 2, sort: 1 },
      current: { text: ["All"], value: ["$__all"], selected: true },
    },
  ];
}

function grafanaPanel({ title, about, unit, kind = "timeseries", stacked = false, queries }: Panel, at: number) {
  const perRow = COLUMNS / WIDTH;
  const look = kind === "gauge" ? gaugeLook : timeseriesLook(stacked);
  return {
    id: at + 1,
    type: kind,
    title,
    description: about,
    datasource,
    gridPos: { x: (at % perRow) * WIDTH, y: Math.floor(at / perRow) * HEIGHT, w: WIDTH, h: HEIGHT },
    targets: Object.entries(queries).map(([legendFormat, expr], index) => ({
      ...{ refId: String.fromCharCode(65 + index), datasource, editorMode: "code", expr, legendFormat, range: true },
    })),
    fieldConfig: { defaults: { unit, min: 0, ...look.defaults }, overrides: [] },
    options: look.options,
  };
}

const timeseriesLook = (stacked: boolean) => ({
  defaults: {
    custom: {
      ...{ drawStyle: "line", lineWidth: 1, fillOpacity: stacked ? 30 : 0, showPoints: "never", spanNulls: false },
      stacking: { mode: stacked ? "normal" : "none", group: "A" },
    },
  },
  options: {
    legend: { displayMode: "list", placement: "bottom", showLegend: true, calcs: [] },
    tooltip: { mode: "multi", sort: "desc" },
  },
});

const gaugeLook = {
  defaults: {
    max: 1,
    thresholds: {
      mode: "absolute",
      steps: [
        { color: "green", value: null },
        { color: "orange", value: 0.8 },
        { color: "red", value: 0.95 },
      ],
    },
  },
  options: {
    reduceOptions: { values: false, calcs: ["lastNotNull"], fields: "" },
    orientation: "auto",
    showThresholdLabels: false,
    showThresholdMarkers: true,
    sizing: "auto",
    minVizWidth: 75,
    minVizHeight: 75,
  },
};
