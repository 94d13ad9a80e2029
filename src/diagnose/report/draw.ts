/** Draws the charts in the reader's browser, with the uPlot that stands in the same file. */

export const DRAW = `
(() => {
  const { hours, lines, picture } = JSON.parse(document.getElementById("figures").textContent);
  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC");
  const wide = (host) => Math.max(320, host.clientWidth);

  const drawHours = (host) => new uPlot({
    width: wide(host), height: 260, tzDate: utc,
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max)] } },
    series: [{}, ...lines.map(({ label, colour }) => ({ label, stroke: colour, fill: colour + "33", width: 2, points: { show: true } }))],
  }, [hours, ...lines.map(({ values }) => values)], host);

  const drawPicture = (host) => {
    const { times, rows, herds, binSeconds } = picture;
    const most = Math.max(...rows.flatMap(({ counts }) => counts));
    const squares = (chart) => {
      const { ctx } = chart;
      const height = Math.abs(chart.valToPos(1, "y", true) - chart.valToPos(0, "y", true));
      const width = Math.max(3, chart.valToPos(times[0] + binSeconds, "x", true) - chart.valToPos(times[0], "x", true));
      ctx.save();
      rows.forEach(({ counts }, row) => counts.forEach((count, at) => {
        if (count === 0) return;
        ctx.fillStyle = "rgba(213, 94, 0, " + (0.25 + 0.75 * count / most) + ")";
        ctx.fillRect(chart.valToPos(times[at], "x", true), chart.valToPos(row, "y", true) - height * 0.4, width, height * 0.8);
      }));
      ctx.fillStyle = "#0072b2";
      for (const { row, time } of herds) {
        const x = chart.valToPos(time, "x", true), y = chart.valToPos(row, "y", true) + height * 0.4, size = 5 * devicePixelRatio;
        ctx.beginPath(); ctx.moveTo(x, y - size); ctx.lineTo(x - size, y + size); ctx.lineTo(x + size, y + size); ctx.fill();
      }
      ctx.restore();
    };
    const longest = Math.max(...rows.map(({ node }) => node.length));
    new uPlot({
      width: wide(host), height: 90 + 26 * rows.length, tzDate: utc,
      scales: {
        x: { range: () => [Math.min(times[0], ...herds.map(({ time }) => time)) - binSeconds, times[times.length - 1] + 2 * binSeconds] },
        y: { range: () => [-0.5, rows.length - 0.5], dir: -1 },
      },
      axes: [{}, {
        size: Math.min(340, 30 + 7 * longest), grid: { show: false }, splits: () => rows.map((_, row) => row),
        values: (_, splits) => splits.map((row) => rows[row].node.slice(0, 44)),
      }],
      series: [{}, ...rows.map(({ node }) => ({ label: node, show: true, stroke: "#d55e00", paths: () => null, points: { show: false } }))],
      hooks: { draw: [squares] },
    }, [times, ...rows.map(({ counts }) => counts)], host);
  };

  for (const [id, draw, count] of [["picture", drawPicture, picture.rows.length], ["hours", drawHours, hours.length]]) {
    const host = document.getElementById(id);
    if (count === 0) host.textContent = "No failures.";
    else draw(host);
  }
  document.body.dataset.drawn = "1";
})();
`;
