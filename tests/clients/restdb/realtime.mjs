// Plays the rules of the generated client for realtime, strictly: listens to post, put, delete, publish and ping, parses the
// data of all but ping, compares the `event` of custom events itself, and opens a new connection when the last ping is too old
// by this machine's clock. A broken rule ends the program.
// Arguments: URL, the credential as the beginning of a query string, ms between two looks at the last ping, ms after which it
// is too old. Prints one JSON line for each call of a listener: {"call", "data"}.
import { EventSourceOverHttp } from "./event_source.mjs";

const [url, credential, delay, tooOld] = [...process.argv.slice(2, 4), ...process.argv.slice(4).map(Number)];
const ID = /^[0-9a-f]{24}$/;
/** The time of a ping is parsed as it is: no quotes, no JSON. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const print = (call, data) => console.log(JSON.stringify({ call, data }));
const fail = (text) => {
  console.error(text);
  process.exit(1);
};
const hold = (holds, text) => holds || fail(text);

// The client: handlers by name, and by the id of an object that is watched.
const handlers = new Map();
const watched = new Map();
const on = (name, handler) => handlers.set(name, handler);
const emit = (name, data) => handlers.get(name)?.(null, data);

let source = null;
let lastPing = null;
let opened = 0;

/** What `data` is, for each kind of a document's event. */
const FORMS = {
  post: (data) => ID.test(data?._id),
  put: (data) => typeof data === "string" && ID.test(data),
  delete: (data) => Array.isArray(data) && data.length === 1 && ID.test(data[0]),
};

function connect() {
  source?.close();
  source = new EventSourceOverHttp(`${url}/realtime?${credential}&lastEventId=&r=${Date.now() % 1e6}`);
  // The first event of a connection is a ping, at once: from then on nothing is missed.
  let isPinged = false;
  const listen = (name, listener) =>
    source.addEventListener(name, (event) => {
      hold(isPinged || name === "ping", `${name} before a ping: ${event.data}`);
      listener(event);
    });
  source.addEventListener("open", () => {
    isPinged = false;
    emit(opened === 0 ? "CONNECT" : "RECONNECT", null);
    opened += 1;
  });
  source.addEventListener("error", (error) => hold(!error.isFinal, `the stream was refused: ${error.message}`));
  for (const name of ["post", "put", "delete"]) {
    listen(name, (event) => {
      const told = JSON.parse(event.data);
      hold(told.event === name && typeof told.collection === "string", `no ${name}: ${event.data}`);
      hold(typeof told.ts === "string" && TIME.test(told.ts), `no time: ${event.data}`);
      hold(FORMS[name](told.data), `no data of ${name}: ${event.data}`);
      if (name === "put") watched.get(told.data)?.(told);
      emit(name.toUpperCase(), told);
    });
  }
  listen("publish", (event) => {
    const told = JSON.parse(event.data);
    hold(typeof told.event === "string" && TIME.test(told.ts), `no custom event: ${event.data}`);
    emit(told.event, told);
  });
  source.addEventListener("message", (event) => fail(`a frame without a name: ${event.data}`));
  listen("ping", (event) => {
    hold(TIME.test(event.data), `no time: ${event.data}`);
    const time = new Date(event.data);
    hold(Math.abs(time.getTime() - Date.now()) < 25_000, `the ping says ${event.data}`);
    isPinged = true;
    if (lastPing === null) emit("PING", null);
    lastPing = time;
  });
}

setInterval(() => {
  if (lastPing !== null && Date.now() - lastPing.getTime() > tooOld) {
    lastPing = null;
    print("OLD", null);
    connect();
  }
}, delay);

for (const name of ["CONNECT", "RECONNECT", "PING", "PUT", "DELETE", "answer"]) {
  on(name, (_, data) => print(name, data));
}
on("POST", (_, told) => {
  print("POST", told);
  watched.set(told.data._id, (put) => print("watched", put.data));
});
connect();
