// Tables that sort, and the picture browser of a run's page.
for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", event => {
    const head = event.target.closest("th");
    if (!head) return;
    const rising = head.getAttribute("aria-sort") === "descending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = row => row.cells[head.cellIndex].dataset.value ?? row.cells[head.cellIndex].textContent;
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)], difference = Number(x) - Number(y);
      return Number.isNaN(difference) ? x.localeCompare(y) : difference;
    });
    // Means of fewer images are no part of the ranking.
    const isLast = row => "last" in row.cells[head.cellIndex].dataset;
    const ordered = rising ? rows : rows.reverse();
    table.tBodies[0].append(...ordered.filter(row => !isLast(row)), ...ordered.filter(isLast));
  });
}

const at = id => document.getElementById(id);
const options = (select, names, wanted) => {
  select.replaceChildren(...names.map(name => new Option(name, name)));
  if (names.includes(wanted)) select.value = wanted;
};
const unique = names => [...new Set(names)];

function listImages() {
  const right = at("right").value, order = at("order").value;
  const score = image => image.scores[right] ?? image.scores[Object.keys(image.kinds).find(kind => kind in image.scores)] ?? 0;
  shown = images.filter(image => image.suite === at("suite").value);
  if (order !== "name") shown.sort((a, b) => (score(a) - score(b)) * ((order === "worst") === higherIsBetter ? 1 : -1));
  at("image").replaceChildren(...shown.map((image, index) => new Option(`${index + 1} of ${shown.length}: ${image.name}`, index)));
}

function listKinds() {
  const kinds = unique(images.filter(image => image.suite === at("suite").value).flatMap(image => Object.keys(image.kinds)));
  const method = kinds.find(kind => kind !== "input" && kind !== "target");
  options(at("left"), kinds, at("left").value || "input");
  options(at("right"), kinds, at("right").value || method);
}

function show() {
  const image = shown[at("image").value];
  if (!image) return;
  const stage = at("stage"), pictures = stage.querySelectorAll("img"), tags = stage.querySelectorAll(".tag");
  [at("left").value, at("right").value].forEach((kind, side) => {
    const number = image.kinds[kind];
    pictures[side].src = number === undefined ? "data:," : `data:image/jpeg;base64,${at(`p${number}`).textContent}`;
    pictures[side].alt = tags[side].textContent = kind;
  });
  const remarks = Object.entries(image.remarks).map(([kind, remark]) => `${kind}: ${remark}`);
  at("figures").textContent = [Object.entries(image.scores).map(([kind, value]) => `${kind}: ${metric} ${value.toFixed(digits)}`).join(", "), ...remarks].join("; ");
  pictures[0].decode().then(zoom, () => {});
}

function zoom() {
  const factor = Number(at("zoom").value), picture = at("stage").querySelector("img");
  at("stage").classList.toggle("zoomed", factor > 0);
  at("stage").querySelector(".slider").style.width = factor ? `${picture.naturalWidth * factor / devicePixelRatio}px` : "";
}

function turn(by) {
  at("image").value = (Number(at("image").value) + by + shown.length) % shown.length;
  show();
}

let shown = [];
if (images.length) {
  options(at("suite"), unique(images.map(image => image.suite)));
  const begin = () => { listKinds(); listImages(); show(); };
  at("suite").onchange = begin;
  at("order").onchange = () => { listImages(); show(); };
  at("right").onchange = () => { const name = shown[at("image").value]?.name; listImages(); at("image").value = Math.max(0, shown.findIndex(image => image.name === name)); show(); };
  at("left").onchange = at("image").onchange = show;
  at("zoom").onchange = zoom;
  at("back").onclick = () => turn(-1);
  at("forth").onclick = () => turn(1);
  document.addEventListener("keydown", event => {
    if (event.target.matches("input, select")) return;
    if (event.key === "ArrowLeft") turn(-1);
    if (event.key === "ArrowRight") turn(1);
  });
  begin();
}
