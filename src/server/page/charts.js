/** Charts over the time that the page has been open. */
/* global uPlot, ResizeObserver */

/** History, in answers: ten minutes. Kept in this page only. */
const HISTORY = 600;
const HEIGHT = 180;
const GRID = { stroke: "#8884", width: 1 };

/**
 * Returns a function that adds values.
 * @param words the values in one sentence, for those who do not see the chart.
 */
export function chartIn(host, lines, unit, words) {
  const data = [[], ...lines.map(() => [])];
  const ticks = (_, values) => values.map((tick) => tick + unit);
  const chart = new uPlot(
    {
      width: host.clientWidth,
      height: HEIGHT,
      axes: [
        { stroke: "#888", grid: GRID },
        { stroke: "#888", grid: GRID, size: 56, values: ticks },
      ],
      scales: { y: { range: (_, _low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
      series: [{}, ...lines.map(({ label, stroke }) => ({ label, stroke, width: 2, points: { show: false } }))],
    },
    data,
    host,
  );
  // Not in the observer's own turn: the new size would count as another change.
  new ResizeObserver(() => setTimeout(() => chart.setSize({ width: host.clientWidth, height: HEIGHT }))).observe(host);
  return (atSeconds, values) => {
    for (const [index, value] of [atSeconds, ...values].entries()) {
      data[index].push(value);
      if (data[index].length > HISTORY) data[index].shift();
    }
    chart.setData(data);
    host.setAttribute("aria-label", words(...values));
  };
}
