/* Lays out the graph of phases in layers and draws its edges; arrow keys follow them.

   Positions go into a sheet of their own, by the ids of nodes, so that a refresh of the page's part leaves them alone.
   What is opened is laid out first, from inside: its size is that of its node in the level around it. */
(() => {
  "use strict";
  const sheet = new CSSStyleSheet();
  const WIDTH = 160, TIGHT = 148, HEIGHT = 54, SMALL = 136, LOW = 42, SIDE = 8, LEAST = 0.25, READABLE = 0.85;
  const narrow = matchMedia("(max-width: 640px)");
  let rules = [], drawn = "", scale = 1, isTight = false, places = new Map(), extent = { width: 1, height: 1 };

  const nodesOf = (level) => [...level.querySelectorAll(":scope > ol > li")];
  const needsOf = (node) => node.dataset.needs.split(" ").filter(Boolean).map((key) => document.getElementById(`node-${key}`)).filter(Boolean);
  const innerOf = (node) => node.querySelector(":scope > details[open] > .level");
  const linkOf = (node) => node.querySelector(":scope > .node-link");
  const top = () => document.getElementById("level-top");
  const isAcross = () => !narrow.matches;

  const sizeOf = (node, isDense) => {
    const [width, height] = isDense ? [SMALL, LOW] : [isTight ? TIGHT : WIDTH, HEIGHT];
    const inner = innerOf(node);
    if (!inner) return { width, height };
    const within = layOut(inner);
    return { width: Math.max(width, within.width + 2 * SIDE + 5), height: height + within.height + SIDE };
  };

  const layOut = (level) => {
    const graph = new dagre.graphlib.Graph();
    const isDense = level.classList.contains("is-dense");
    graph.setGraph({ rankdir: isAcross() ? "LR" : "TB", nodesep: isDense ? 10 : 16, ranksep: isTight ? 20 : isDense ? 26 : 30, marginx: 3, marginy: 3 });
    graph.setDefaultEdgeLabel(() => ({}));
    const nodes = nodesOf(level);
    nodes.forEach((node) => graph.setNode(node.id, sizeOf(node, isDense)));
    nodes.forEach((node) => needsOf(node).forEach((need) => graph.hasNode(need.id) && graph.setEdge(need.id, node.id)));
    dagre.layout(graph);
    nodes.forEach((node) => {
      const at = graph.node(node.id);
      places.set(node.id, at);
      rules.push(`#${node.id}{left:${at.x - at.width / 2}px;top:${at.y - at.height / 2}px;width:${at.width}px;height:${at.height}px}`);
    });
    const { width, height } = graph.graph();
    rules.push(`#${level.id}{width:${width}px;height:${height}px}`);
    draw(level, graph);
    return { width, height };
  };

  const layOutAll = (level) => {
    rules = isTight ? ["#level-top .node-link{gap:5px;padding:0 20px 0 6px}", "#level-top .node-link:has(.node-count){padding-right:26px}", "#level-top .node-name{font-size:12px;line-height:1.2;-webkit-line-clamp:3}"] : [];
    places = new Map();
    extent = layOut(level);
  };

  const shape = (name, facts) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(facts).forEach(([key, value]) => element.setAttribute(key, value));
    return element;
  };

  /* From the far side of one node to the near side of the other, level at both ends and at every bend. */
  const curve = (from, to, points) => {
    const bends = points.length > 3 ? points.slice(1, -1) : [];
    const pieces = [...bends, to].map((point, index) => {
      const last = index ? bends[index - 1] : from;
      const [x, y] = [(last.x + point.x) / 2, (last.y + point.y) / 2];
      return isAcross() ? `C ${x} ${last.y} ${x} ${point.y} ${point.x} ${point.y}` : `C ${last.x} ${y} ${point.x} ${y} ${point.x} ${point.y}`;
    });
    return `M ${from.x} ${from.y} ${pieces.join(" ")}`;
  };

  const side = ({ x, y, width, height }, sign) => (isAcross() ? { x: x + (sign * width) / 2, y } : { x, y: y + (sign * height) / 2 });

  const arrow = ({ x, y }) => (isAcross() ? `${x},${y} ${x - 7},${y - 4} ${x - 7},${y + 4}` : `${x},${y} ${x - 4},${y - 7} ${x + 4},${y - 7}`);

  const draw = (level, graph) => {
    const svg = level.querySelector(":scope > svg");
    svg.replaceChildren(...graph.edges().flatMap(({ v, w }) => {
      const [from, to] = [side(graph.node(v), 1), side(graph.node(w), -1)];
      const facts = { "data-from": v, "data-to": w };
      const line = shape("path", { d: curve(from, to, graph.edge(v, w).points), ...facts });
      return [line, shape("polygon", { points: arrow(to), ...facts })];
    }));
  };

  const paint = () => document.querySelectorAll("#graph .edges > *").forEach((edge) => {
    const ends = [edge.dataset.from, edge.dataset.to].map((id) => document.getElementById(id));
    edge.classList.toggle("is-done", !!ends[0]?.matches(".is-succeeded, .is-skipped, .is-partially_succeeded, .is-ignored"));
    edge.classList.toggle("is-critical", ends.every((end) => end?.matches(".is-critical")));
  });

  const shapeOf = () => {
    const nodes = [...document.querySelectorAll("#graph .node")];
    return `${isAcross()} ${scale} ${nodes.map((node) => `${node.id}<${node.dataset.needs}${innerOf(node) ? "+" : ""}`).join()}`;
  };

  const show = () => {
    const level = top();
    if (!level || !document.getElementById("graph").open) return;
    const isLost = nodesOf(level).some((node) => node.dataset.needs) && !level.querySelector(":scope > svg").childElementCount;
    if (shapeOf() !== drawn || isLost) {
      const isFirst = !drawn;
      layOutAll(level);
      if (isFirst && isAcross() && !level.classList.contains("is-dense") && fitting(extent) < 1) {
        isTight = true;
        layOutAll(level);
      }
      if (isFirst) scale = Math.max(READABLE, fitting(extent));
      sheet.replaceSync([...rules, `#level-top{zoom:${scale}}`].join(""));
      drawn = shapeOf();
      if (isFirst) reveal();
    }
    paint();
    rove();
  };

  const fitting = ({ width, height }) => {
    const view = document.getElementById("graph-view");
    return Math.min(1, Math.max(LEAST, Math.min((view.clientWidth - 30) / width, (Math.min(innerHeight * 0.62, 560) - 20) / height)));
  };

  const reveal = () => {
    const busy = document.querySelector("#graph .node.is-running, #graph .node.is-waiting, #graph .node.is-failed");
    const at = places.get((busy || nodesOf(top())[0]).closest("#level-top > ol > li").id), view = document.getElementById("graph-view");
    view.scrollTo(at.x * scale - view.clientWidth / 2, at.y * scale - view.clientHeight / 2);
  };

  /* One stop for the tab key in each level: where one was last, else at its first node. */
  const rove = (current = document.activeElement?.closest?.("#graph .node")) => {
    document.querySelectorAll("#graph .level").forEach((level) => {
      const nodes = nodesOf(level);
      const stop = nodes.find((node) => node.contains(current)) || nodes.find((node) => node.id === level.dataset.stop) || nodes[0];
      nodes.forEach((node) => node.querySelectorAll(":scope > .node-link, :scope > details > summary").forEach((part) => { part.tabIndex = node === stop ? 0 : -1; }));
    });
  };

  const towards = (node, key) => {
    const along = isAcross() ? { ArrowRight: 1, ArrowLeft: -1 } : { ArrowDown: 1, ArrowUp: -1 };
    const here = places.get(node.id), others = nodesOf(node.closest(".level")).filter((other) => other !== node);
    const [main, side] = isAcross() ? ["x", "y"] : ["y", "x"];
    const nearest = (found, cost) => found.sort((a, b) => cost(places.get(a.id)) - cost(places.get(b.id)))[0];
    if (along[key]) {
      const linked = along[key] > 0 ? others.filter((other) => needsOf(other).includes(node)) : needsOf(node).filter((need) => others.includes(need));
      return nearest(linked, (at) => Math.abs(at[side] - here[side]) + Math.abs(at[main] - here[main]) / 4);
    }
    const sign = key === "ArrowDown" || key === "ArrowRight" ? 1 : -1;
    return nearest(others.filter((other) => sign * (places.get(other.id)[side] - here[side]) > 1), (at) => 3 * Math.abs(at[main] - here[main]) + Math.abs(at[side] - here[side]));
  };

  document.addEventListener("keydown", (event) => {
    const link = event.target.closest?.("#graph .node-link");
    if (!link || event.altKey || event.ctrlKey || event.metaKey) return;
    const node = link.closest(".node");
    const inner = node.querySelector(":scope > details");
    if (event.key === " " && inner) inner.open = !inner.open;
    else if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const next = event.key === " " ? null : towards(node, event.key);
    if (!next) return;
    rove(next);
    linkOf(next).focus({ preventScroll: true });
    linkOf(next).scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-zoom]");
    if (button) {
      const steps = { in: Math.min(1.6, scale * 1.25), out: Math.max(LEAST, scale / 1.25), fit: fitting(extent) };
      scale = steps[button.dataset.zoom];
      show();
      return;
    }
    const link = event.target.closest('#graph a.node-link[href^="#"]');
    const phase = link && document.getElementById(link.getAttribute("href").slice(1));
    if (!phase) return;
    event.preventDefault();
    for (let around = phase; around; around = around.parentElement) if (around.matches("details")) around.open = true;
    const own = phase.querySelector(":scope > details");
    if (own) own.open = true;
    phase.querySelector("summary")?.focus({ preventScroll: true });
    phase.scrollIntoView({ block: "start" });
  });

  document.addEventListener("toggle", (event) => {
    if (event.target.id === "graph") localStorage.setItem("graph", event.target.open ? "open" : "closed");
    if (event.target.closest?.("#graph")) show();
  }, true);
  document.addEventListener("htmx:after:swap", show);
  narrow.addEventListener("change", () => { drawn = ""; show(); });
  document.addEventListener("DOMContentLoaded", () => {
    const graph = document.getElementById("graph");
    if (!graph) return;
    document.adoptedStyleSheets.push(sheet);
    document.documentElement.classList.add("graphs");
    if (localStorage.getItem("graph") === "closed") graph.open = false;
    show();
  });
})();
