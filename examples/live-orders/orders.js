// A list of orders that is kept true by a live query, and a form that writes orders over HTTP.
//
// The page never changes its list by itself: it writes, and the stream tells it what became of that, as it tells every
// other page. Server and key stand after the # of the address, which browsers do not send anywhere.

const find = (id) => document.getElementById(id);
const place = new URLSearchParams(location.hash.slice(1));
const url = place.get("url") ?? "http://127.0.0.1:7117";
const key = place.get("key");

let orders = new Map(); // What is shown, by id.
let coming = new Map(); // A snapshot on its way.
let edited = null; // The order in the form; null: a new one.

// The stream.

function follow() {
  say("waiting", "Connecting");
  const source = new EventSource(`${url}/v1/live/orders?${new URLSearchParams({ apikey: key })}`);
  const acts = {
    snapshot: ({ document: order }) => coming.set(name(order._id), order),
    ready: () => { orders = coming; begin(); },
    enter: put,
    update: put,
    leave: ({ id }) => orders.delete(name(id)),
    reset: begin,
    closed: ({ reason }) => complain(`The stream was closed: ${reason}`),
  };
  for (const [kind, act] of Object.entries(acts)) {
    source.addEventListener(kind, (message) => {
      const data = JSON.parse(message.data);
      act(data);
      if (data.position) show(data.position);
    });
  }
  // A connection may break in the middle of a snapshot: each one begins with an empty picture.
  source.onopen = () => { begin(); say("connected", "Connected"); };
  source.onerror = () => {
    say("waiting", "Connecting again");
    // The browser comes back by itself, unless it was refused.
    if (source.readyState === EventSource.CLOSED) explain();
  };
}

// An EventSource does not say why it was refused.
async function explain() {
  try {
    const answer = await fetch(`${url}/v1/events?collections=orders&limit=1`, { headers: { "x-apikey": key } });
    if (answer.status === 401 || answer.status === 403) {
      say("refused", "Not connected");
      return complain((await answer.json()).error.message);
    }
  } catch {
    // It is not there; try again.
  }
  setTimeout(follow, 3000);
}

function begin() {
  coming = new Map();
}

function put({ id, document: order }) {
  orders.set(name(id), order);
}

function name(id) {
  return JSON.stringify(id);
}

// Writes.

async function send(method, path, body) {
  const headers = { "x-apikey": key, "Content-Type": "application/json" };
  const address = `${url}/v1/collections/orders/documents${path}`;
  try {
    const answer = await fetch(address, { method, headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error((await answer.json()).error.message);
    complain("");
    return true;
  } catch (error) {
    complain(`Not saved: ${error.message}`);
    return false;
  }
}

async function save(event) {
  event.preventDefault();
  const { customer, total, status } = Object.fromEntries(new FormData(find("order")));
  const order = { customer, total: Number(total), status };
  const [method, path] = edited ? ["PATCH", `/${encodeURIComponent(edited._id)}`] : ["POST", ""];
  if (await send(method, path, order)) edit(null);
}

function edit(order) {
  const form = find("order");
  edited = order;
  form.reset();
  for (const member of ["customer", "total", "status"]) {
    if (order) form.elements[member].value = order[member] ?? "";
  }
  find("order-title").textContent = order ? "Edit order" : "New order";
  find("cancel").hidden = !order;
  form.elements.customer.focus();
}

// What is seen.

function show(position) {
  find("position").textContent = `at position ${position}`;
  const list = find("orders");
  const shown = new Map([...list.children].map((row) => [row.dataset.id, row]));
  for (const [id, row] of shown) if (!orders.has(id)) row.remove();
  const sorted = [...orders].sort(([a], [b]) => (a < b ? 1 : -1));
  for (const [index, [id, order]] of sorted.entries()) {
    const line = fill(shown.get(id) ?? row(id), order);
    // A row that is moved loses the focus, so only those move that must.
    if (list.children[index] !== line) list.insertBefore(line, list.children[index] ?? null);
  }
  find("count").textContent = `(${orders.size})`;
  find("empty").hidden = orders.size > 0;
}

function row(id) {
  const made = find("row").content.firstElementChild.cloneNode(true);
  made.dataset.id = id;
  made.querySelector(".edit").onclick = () => edit(orders.get(id));
  made.querySelector(".delete").onclick = () => {
    find("list-title").focus();
    send("DELETE", `/${encodeURIComponent(JSON.parse(id))}`);
  };
  return made;
}

function fill(row, order) {
  const customer = order.customer ?? "(nobody)";
  const texts = { customer, status: order.status, total: Number(order.total ?? 0).toFixed(2) };
  for (const [part, text] of Object.entries(texts)) row.querySelector(`.${part}`).textContent = text ?? "";
  for (const part of ["edit", "delete"]) {
    row.querySelector(`.${part}`).ariaLabel = `${part === "edit" ? "Edit" : "Delete"} the order of ${customer}`;
  }
  return row;
}

function say(state, text) {
  find("state").dataset.state = state;
  find("state").querySelector("[role=status]").textContent = text;
}

function complain(text) {
  find("problem").textContent = text;
  find("problem").hidden = !text;
}

// The start.

find("order").onsubmit = save;
find("cancel").onclick = () => edit(null);
find("server").onsubmit = (event) => {
  event.preventDefault();
  location.hash = new URLSearchParams(new FormData(find("server")));
};
window.onhashchange = () => location.reload();
find(key ? "board" : "server").hidden = false;
if (key) follow();
