// A browser's EventSource for Node, as far as it decides how clients behave: frames are events with `data` and `lastEventId`,
// what breaks is connected again behind the last event unless it is closed, and a refusal is final. Stricter than a browser
// where the server is to be held to its word: a frame has one line of data.

/** How long it waits before it connects again, in milliseconds. */
const PAUSE = 200;

export class EventSourceOverHttp extends EventTarget {
  #address;
  #stop = new AbortController();
  #lastId = "";

  constructor(address) {
    super();
    this.#address = address;
    this.#run();
  }

  /** No event comes any more. */
  close() {
    this.#stop.abort();
  }

  async #run() {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#once();
      } catch (error) {
        this.#tell("error", { message: error.message, isFinal: error.isFinal === true });
        if (error.isFinal) return;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  async #once() {
    const headers = { accept: "text/event-stream", "cache-control": "no-cache" };
    if (this.#lastId !== "") headers["last-event-id"] = this.#lastId;
    const answer = await fetch(this.#address, { headers, signal: this.#stop.signal });
    const kind = answer.headers.get("content-type") ?? "";
    if (answer.status !== 200 || !/^text\/event-stream(; ?charset=utf-8)?$/i.test(kind)) {
      throw final(`${answer.status} ${kind} ${await answer.text()}`);
    }
    this.#tell("open", {});
    const decoder = new TextDecoder();
    let rest = "";
    for await (const part of answer.body) {
      const frames = (rest + decoder.decode(part, { stream: true })).replaceAll("\r\n", "\n").split("\n\n");
      rest = frames.pop();
      for (const frame of frames) this.#dispatch(frame);
    }
    throw new Error("the stream has ended");
  }

  #dispatch(frame) {
    const found = {};
    for (const line of frame.split("\n")) {
      const colon = line.indexOf(":");
      // A comment begins with its colon.
      if (colon <= 0) continue;
      const field = line.slice(0, colon);
      if (field in found) throw final(`${field} comes twice: ${frame}`);
      found[field] = line.slice(colon + 1).replace(/^ /, "");
    }
    if (found.id !== undefined) this.#lastId = found.id;
    if (found.data === undefined) return;
    this.#tell(found.event ?? "message", { data: found.data, lastEventId: this.#lastId });
  }

  #tell(name, values) {
    if (this.#stop.signal.aborted) return;
    this.dispatchEvent(Object.assign(new Event(name), values));
  }
}

const final = (text) => Object.assign(new Error(text), { isFinal: true });
