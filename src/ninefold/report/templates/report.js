// Sorting, filtering, opening. The page is complete without it.
(() => {
  for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;

  const valueOf = (row, column, isNumber) => {
    const text = row.cells[column].dataset.value ?? row.cells[column].textContent;
    return isNumber ? (text === "" ? null : Number(text)) : text.toLowerCase();
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const isNumber = heading.dataset.sort === "number";
        const rising = heading.getAttribute("aria-sort") !== "ascending";
        for (const other of headings) other.setAttribute("aria-sort", "none");
        heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, column, isNumber), row]);
        rows.sort(([a], [b]) => {
          if (a === null || b === null) return (a === null) - (b === null); // what is missing stays last
          const order = isNumber ? a - b : a.localeCompare(b, "en", { numeric: true });
          return rising ? order : -order;
        });
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }

  const filter = document.getElementById("filter");
  if (filter) {
    const rows = [...document.querySelectorAll("#ranked tbody tr")];
    const shown = document.getElementById("filter-count");
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const row of rows) {
        row.hidden = !words.every((word) => row.dataset.text.includes(word));
        left += !row.hidden;
      }
      shown.textContent = words.length ? `${left} of ${rows.length}` : "";
    });
  }

  const candidates = [...document.querySelectorAll("details.candidate")];
  const makeViewer = (details) => {
    const figure = details.querySelector("[data-viewer] .still")?.closest("figure");
    if (figure) new StructureViewer(figure);
  };
  for (const details of candidates) {
    if (details.open) makeViewer(details);
    details.addEventListener("toggle", () => { if (details.open) makeViewer(details); });
  }
  const setAll = (open) => { for (const details of candidates) details.open = open; };
  document.getElementById("open-all")?.addEventListener("click", () => setAll(true));
  document.getElementById("close-all")?.addEventListener("click", () => setAll(false));

  const openTarget = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target?.closest("details.candidate");
    if (!details) return;
    details.open = true;
    details.scrollIntoView();
  };
  addEventListener("hashchange", openTarget);
  openTarget();
  document.documentElement.dataset.ready = "yes";
})();
