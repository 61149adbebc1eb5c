-- report/script.lua: what shows the values of a chart under the pointer. The page is whole without it: the values are
-- read from the paths themselves, whose picture says which range its axes have.
return [[
"use strict";
(() => {
  const tip = document.body.appendChild(document.createElement("div"));
  tip.id = "tip";
  const svgNS = "http://www.w3.org/2000/svg";

  const pointsOf = line =>
    line.points ||= line.getAttribute("d").slice(1).split("L").map(point => point.split(" ").map(Number));

  // The point whose x is nearest.
  const nearest = (points, x) => {
    let low = 0, high = points.length - 1;
    while (high - low > 1) {
      const middle = low + high >> 1;
      if (points[middle][0] < x) low = middle; else high = middle;
    }
    return x - points[low][0] < points[high][0] - x ? points[low] : points[high];
  };

  for (const svg of document.querySelectorAll("svg[data-plot]")) {
    const [left, right, top, bottom, x0, x1, y0, y1, log] = svg.dataset.plot.split(" ").map(Number);
    const lines = [...svg.querySelectorAll("path.line")];
    if (!lines.length) continue;
    const cursor = document.createElementNS(svgNS, "path");
    cursor.setAttribute("class", "cursor");
    const dots = lines.map(line => {
      const dot = document.createElementNS(svgNS, "circle");
      dot.setAttribute("class", line.getAttribute("class").replace(/line|dashed|dotted|mixed/g, "") + " point");
      dot.setAttribute("r", "3.2");
      return dot;
    });
    const value = y => {
      const share = (bottom - y) / (bottom - top);
      return log ? y0 * (y1 / y0) ** share : y0 + (y1 - y0) * share;
    };
    const text = y => {
      const v = value(y), digits = svg.dataset.digits;
      return (digits === "" ? Number(v.toPrecision(4)).toString() : v.toFixed(Number(digits))) + svg.dataset.unit;
    };
    const hide = () => {
      tip.style.display = "none";
      cursor.remove();
      dots.forEach(dot => dot.remove());
    };

    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("pointermove", event => {
      const box = svg.getBoundingClientRect();
      const pointer = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
      if (pointer < left - 8 || pointer > right + 8) return hide();
      const x = nearest(pointsOf(lines[0]), pointer)[0];
      cursor.setAttribute("d", `M${x} ${top}V${bottom}`);
      svg.append(cursor);
      const head = document.createElement("b");
      head.textContent = "Epoch " + Math.round(x0 + (x1 - x0) * (x - left) / (right - left));
      const rows = lines.map((line, i) => {
        const point = nearest(pointsOf(line), x), row = document.createElement("div");
        dots[i].setAttribute("cx", point[0]);
        dots[i].setAttribute("cy", point[1]);
        svg.append(dots[i]);
        const swatch = document.createElement("i"), name = document.createElement("span");
        const figure = document.createElement("b");
        swatch.className = "swatch " + [...line.classList].find(c => /^c\d$/.test(c));
        name.append(swatch, line.dataset.name);
        figure.textContent = text(point[1]);
        row.append(name, figure);
        return row;
      });
      tip.replaceChildren(head, ...rows);
      tip.style.display = "block";
      const wide = tip.offsetWidth, onLeft = event.pageX + wide + 24 > document.documentElement.scrollWidth;
      tip.style.left = (onLeft ? event.pageX - wide - 16 : event.pageX + 16) + "px";
      tip.style.top = event.pageY + 12 + "px";
    });
  }
})();
]]
