// Plays the rules of the generated client for realtime: listens to post, put, delete, publish and ping, parses the data of
// all but ping, and opens a new connection when the last ping is too old by this machine's clock.
// Arguments: URL, key, ms between two looks at the last ping, ms after which it is too old. Prints one JSON line for each call of
// a listener: {"call", "data"}.
const [url, key, delay, tooOld] = [...process.argv.slice(2, 4), ...process.argv.slice(4).map(Number)];

// What browsers have as EventSource, as far as the rules use it.
class Source {
  constructor(address) {
    this.address = address;
    this.listeners = new Map();
    this.lastId = "";
    this.aborter = new AbortController();
    this.run();
  }

  addEventListener(name, listener) {
    this.listeners.set(name, listener);
  }

  close() {
    this.closed = true;
    this.aborter.abort();
  }

  async run() {
    while (!this.closed) {
      try {
        await this.once();
      } catch (error) {
        if (error.fatal) return this.call("error", error);
      }
      if (!this.closed) await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async once() {
    const headers = { accept: "text/event-stream", "cache-control": "no-cache" };
    if (this.lastId !== "") headers["last-event-id"] = this.lastId;
    const answer = await fetch(this.address, { headers, signal: this.aborter.signal });
    const kind = answer.headers.get("content-type");
    if (answer.status !== 200 || !/^text\/event-stream(;charset=utf-8)?$/i.test(kind)) {
      throw Object.assign(new Error(`${answer.status} ${await answer.text()}`), { fatal: true });
    }
    this.call("open");
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of answer.body) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop();
      blocks.forEach((block) => this.dispatch(block));
    }
  }

  dispatch(block) {
    let [event, data] = ["message", null];
    for (const line of block.split("\n")) {
      const colon = line.indexOf(":");
      if (colon <= 0) continue;
      const [field, value] = [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
      if (field === "id") this.lastId = value;
      if (field === "event") event = value;
      if (field === "data") data = value;
    }
    if (data !== null && !this.closed) this.call(event, { data, lastEventId: this.lastId });
  }

  call(name, event) {
    this.listeners.get(name)?.(event);
  }
}

const print = (call, data) => console.log(JSON.stringify({ call, data }));
const fail = (text) => {
  console.error(text);
  process.exit(1);
};

// The client: handlers by name, and by the id of an object that is watched.
const handlers = new Map();
const watched = new Map();
const on = (name, handler) => handlers.set(name, handler);
const emit = (name, data) => handlers.get(name)?.(null, data);

let source = null;
let lastPing = null;
let opened = 0;

function connect() {
  source?.close();
  source = new Source(`${url}/realtime?apikey=${key}&lastEventId=&r=${Date.now() % 1e6}`);
  source.addEventListener("open", () => {
    emit(opened === 0 ? "CONNECT" : "RECONNECT", null);
    opened += 1;
  });
  source.addEventListener("error", (error) => fail(`the stream was refused: ${error.message}`));
  for (const name of ["post", "put", "delete"]) {
    source.addEventListener(name, (event) => {
      const told = JSON.parse(event.data);
      if (told.event !== name || Number.isNaN(Date.parse(told.ts))) fail(`no ${name}: ${event.data}`);
      if (name === "put") watched.get(told.data)?.(told);
      emit(name.toUpperCase(), told);
    });
  }
  source.addEventListener("publish", (event) => {
    const told = JSON.parse(event.data);
    emit(told.event, told);
  });
  source.addEventListener("message", (event) => fail(`a frame without a name: ${event.data}`));
  source.addEventListener("ping", (event) => {
    const time = new Date(event.data);
    if (Number.isNaN(time.getTime())) fail(`no time: ${event.data}`);
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
  watched.set(told.data._id, (put) => print("watched", put.data === told.data._id));
});
connect();
