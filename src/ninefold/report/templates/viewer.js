"use strict";
// A small structure viewer: balls, M-H sticks, polyhedra and the cell on a canvas, nearer things drawn last.
// Drag turns, the wheel zooms, arrow keys turn and + - zoom when the picture has the focus, double click resets.
class StructureViewer {
  constructor(figure) {
    this.scene = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
    this.still = figure.querySelector(".still");
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", this.still.getAttribute("aria-label") +
      ". Drag or use the arrow keys to turn, the wheel or plus and minus to zoom, double click to reset.");
    this.canvas.title = "Drag to turn, wheel to zoom, double click to reset";
    this.still.replaceWith(this.canvas);
    this.corners = this.cellCorners();
    this.reset();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  reset() {
    this.view = this.scene.view.map((row) => row.slice());
    this.zoom = 1;
    [this.middle, this.scale] = [0, 1];
    const seen = [...this.seenAtoms(), ...this.corners.map((corner) => this.project(corner))];
    this.reach = Math.max(...seen.map(([x, y]) => Math.max(Math.abs(x), Math.abs(y)))) + 0.9;
    this.draw();
  }

  cellCorners() {
    const [a, b, c] = this.scene.cell;
    const corners = [];
    for (const i of [-0.5, 0.5]) for (const j of [-0.5, 0.5]) for (const k of [-0.5, 0.5])
      corners.push([0, 1, 2].map((x) => i * a[x] + j * b[x] + k * c[x]));
    return corners;
  }

  listen() {
    const canvas = this.canvas;
    let last = null;
    canvas.addEventListener("pointerdown", (event) => {
      last = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      this.turn((event.clientX - last[0]) * 0.01, (event.clientY - last[1]) * 0.01);
      last = [event.clientX, event.clientY];
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { last = null; });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.magnify(Math.exp(-event.deltaY * 0.0012));
    }, { passive: false });
    canvas.addEventListener("dblclick", () => this.reset());
    const keys = {
      ArrowLeft: () => this.turn(-0.12, 0), ArrowRight: () => this.turn(0.12, 0), ArrowUp: () => this.turn(0, -0.12),
      ArrowDown: () => this.turn(0, 0.12), "+": () => this.magnify(1.12), "-": () => this.magnify(1 / 1.12),
      Home: () => this.reset(),
    };
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  magnify(factor) {
    this.zoom = Math.min(8, Math.max(0.4, this.zoom * factor));
    this.draw();
  }

  // about the screen's vertical axis, then about its horizontal one
  turn(right, down) {
    const [cr, sr, cd, sd] = [Math.cos(right), Math.sin(right), Math.cos(down), Math.sin(down)];
    const [x, y, z] = this.view;
    const across = x.map((value, k) => cr * value + sr * z[k]);
    const depth = x.map((value, k) => -sr * value + cr * z[k]);
    this.view = [across, y.map((value, k) => cd * value - sd * depth[k]), y.map((value, k) => sd * value + cd * depth[k])];
    this.draw();
  }

  project(point) {
    const [x, y, z] = this.view.map((row) => row[0] * point[0] + row[1] * point[1] + row[2] * point[2]);
    return [this.middle + this.scale * x, this.middle - this.scale * y, z];
  }

  draw() {
    const size = this.canvas.clientWidth;
    if (!size) return;
    const sharp = window.devicePixelRatio || 1;
    this.canvas.width = this.canvas.height = Math.round(size * sharp);
    this.middle = size / 2;
    this.scale = (size / 2 / this.reach) * this.zoom;
    const pen = this.canvas.getContext("2d");
    pen.scale(sharp, sharp);
    const style = getComputedStyle(this.canvas);
    this.inks = { cell: style.getPropertyValue("--cell"), stick: style.getPropertyValue("--stick") };
    const items = [...this.cellItems(), ...this.faceItems(), ...this.stickItems(), ...this.ballItems()];
    items.sort((a, b) => a.depth - b.depth);
    for (const item of items) item.paint(pen);
  }

  // an edge in pieces, so that atoms stand before and behind it
  cellItems() {
    const items = [];
    const pieces = 5;
    for (let a = 0; a < 8; a++) for (const bit of [1, 2, 4]) {
      const [from, to] = [this.corners[a], this.corners[a ^ bit]];
      if ((a ^ bit) < a) continue;
      const along = (part) => this.project(from.map((x, k) => x + (part / pieces) * (to[k] - x)));
      for (let part = 0; part < pieces; part++) {
        const [start, end] = [along(part), along(part + 1)];
        items.push({ depth: (start[2] + end[2]) / 2, paint: (pen) => this.line(pen, start, end, this.inks.cell, 1.3) });
      }
    }
    return items;
  }

  faceItems() {
    const seen = this.seenAtoms();
    return this.scene.faces.map((face) => ({
      depth: (seen[face[0]][2] + seen[face[1]][2] + seen[face[2]][2]) / 3,
      paint: (pen) => {
        pen.beginPath();
        face.forEach((corner, k) => pen[k ? "lineTo" : "moveTo"](seen[corner][0], seen[corner][1]));
        pen.closePath();
        pen.fillStyle = "rgba(31,120,180,.14)";
        pen.strokeStyle = "rgba(31,120,180,.32)";
        pen.lineWidth = 0.7;
        pen.fill();
        pen.stroke();
      },
    }));
  }

  stickItems() {
    const seen = this.seenAtoms();
    return this.scene.bonds.map(([a, b]) => ({
      depth: (seen[a][2] + seen[b][2]) / 2,
      paint: (pen) => this.line(pen, seen[a], seen[b], this.inks.stick, Math.max(1.5, 0.11 * this.scale)),
    }));
  }

  ballItems() {
    const seen = this.seenAtoms();
    return this.scene.atoms.map(([kind], index) => {
      const [x, y, z] = seen[index];
      const [, , colour, radius] = this.scene.kinds[kind];
      return { depth: z, paint: (pen) => this.ball(pen, x, y, radius * this.scale, colour) };
    });
  }

  seenAtoms() {
    return this.scene.atoms.map((atom) => this.project(atom.slice(1)));
  }

  line(pen, from, to, colour, width) {
    pen.beginPath();
    pen.moveTo(from[0], from[1]);
    pen.lineTo(to[0], to[1]);
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.lineCap = "round";
    pen.stroke();
  }

  ball(pen, x, y, radius, colour) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = colour;
    pen.fill();
    const light = pen.createRadialGradient(x - 0.35 * radius, y - 0.4 * radius, 0.05 * radius, x, y, radius);
    light.addColorStop(0, "rgba(255,255,255,.65)");
    light.addColorStop(0.45, "rgba(255,255,255,0)");
    light.addColorStop(1, "rgba(0,0,0,.28)");
    pen.fillStyle = light;
    pen.fill();
    pen.strokeStyle = "rgba(20,28,36,.55)";
    pen.lineWidth = 0.6;
    pen.stroke();
  }
}
