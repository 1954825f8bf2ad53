// The generated JavaScript API in Node against a stand-in for a server's realtime: frames as they are documented, a byte
// at a time, with breaks and silence; and what it asks for. One line of input: {url}, where the file itself comes from. With
// {"eventSource": true} among it the client has an EventSource, as in a browser.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { EventSourceOverHttp } from "./event_source.mjs";
import { load, input, until } from "./load.mjs";

const { url, eventSource } = await input();
if (eventSource) globalThis.EventSource = EventSourceOverHttp;
else globalThis.fetch = byteByByte(globalThis.fetch);
const { restdb } = await load(url);

/** Requests that came, and streams that are open. */
const asked = [], streams = [];
const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const { pathname, searchParams } = new URL(request.url, "http://x");
  const parameters = Object.fromEntries(searchParams);
  asked.push({ method: request.method, path: pathname, parameters, body: body && JSON.parse(body), headers: request.headers });
  if (pathname === "/realtime" && request.method === "GET") {
    if (parameters.apikey === "refused") {
      response.writeHead(403, { "content-type": "application/json" });
      return response.end('{"message":"no"}');
    }
    if (parameters.apikey === "gone" && parameters.lastEventId) {
      response.writeHead(410, { "content-type": "application/json" });
      return response.end('{"message":"gone"}');
    }
    response.writeHead(200, { "content-type": "text/event-stream;charset=utf-8" });
    response.write(`event: ping\ndata: ${new Date().toISOString()}\n\n`);
    return void streams.push(response);
  }
  response.setHeader("content-type", "application/json");
  if (request.method === "GET") return response.end('[{"_id":"5f1f77bcf86cd799439011bb","text":"b"}]');
  response.writeHead(request.method === "POST" ? 201 : 200);
  const { _id = "5f1f77bcf86cd799439011cc", ...rest } = body ? JSON.parse(body) : {};
  response.end(pathname === "/realtime" ? body : JSON.stringify({ _id, ...rest }));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const standin = `http://127.0.0.1:${server.address().port}`;

const heard = [];
const hear = (name) => (error, event) => heard.push([name, error, event]);
const names = () => heard.map(([name]) => name);
const frame = (id, event, data) => `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
const connections = () => asked.filter((one) => one.path === "/realtime" && one.method === "GET");

// Connected at once, by key.
const options = { url: standin, realtime: true, reconnectdelay: 10, _keepalivedelay: 20, _keepalivediff: 60_000 };
let db = new restdb("k&y", options);
for (const name of ["CONNECT", "DISCONNECT", "RECONNECT", "POST", "PUT", "DELETE", "answer"]) db.on(name, hear(name));
await until("a connection", () => names().includes("CONNECT"));
assert.deepEqual(heard, [["CONNECT", null, null]]);
assert.deepEqual(connections()[0].parameters, { apikey: "k&y" });

// Events of documents and of the caller's own, to those who want them alone.
const one = new db.people({ _id: "5f1f77bcf86cd799439011aa" });
db.people.on("POST", hear("people POST"));
db.mentry.on("POST", hear("m-entry POST"));
one.on("PUT", hear("one PUT"));
one.on("DELETE", hear("one DELETE"));
new db.people({ _id: "5f1f77bcf86cd799439011dd" }).on("PUT", hear("other PUT"));
heard.length = 0;
const made = { ts: "t", event: "post", collection: "people", data: { _id: "x", name: "a\u2028b\r" } };
const whole = [
  frame(1, "post", made),
  ": a comment\n\n",
  frame(2, "post", { event: "post", collection: "m-entry", data: { _id: "y" } }).replaceAll("\n", "\r\n"),
  frame(3, "put", { event: "put", collection: "people", data: one._id }),
  frame(4, "delete", { event: "delete", collection: "people", data: ["z", one._id] }),
  frame(5, "publish", { event: "answer", data: { value: 42 } }),
  frame(6, "publish", { event: "POST", data: "forged" }),
  frame(7, "publish", { ts: "t", event: "answer", data: "last" }),
].join("");
streams[0].write(whole);
await until("the last event", () => heard.some(([, , event]) => event.data === "last"));
assert.deepEqual(names(), [
  "POST", "people POST", "POST", "m-entry POST", "PUT", "one PUT", "DELETE", "one DELETE", "answer", "answer",
]);
assert.deepEqual(heard[0], ["POST", null, made]);
assert.deepEqual(heard[8], ["answer", null, { event: "answer", data: { value: 42 } }]);

// Off: one callback, all of an event, of a class, of a document.
heard.length = 0;
const twice = hear("twice");
db.on("POST", twice);
db.off("POST", twice);
db.off("answer");
db.people.off("POST");
one.off("PUT");
streams[0].write(whole.replaceAll("last", "more"));
await until("the deletion", () => names().includes("one DELETE"));
await until("what was not taken away", () => names().filter((name) => name === "POST").length === 2);
assert.deepEqual(names(), ["POST", "POST", "m-entry POST", "PUT", "DELETE", "one DELETE"]);

// A handler that throws does not keep the others from hearing.
const thrown = [];
process.on("uncaughtException", (error) => {
  thrown.push(error.message);
  if (error.message === "a fault of the page") return;
  console.error(error);
  process.exit(1);
});
heard.length = 0;
db.off("PUT");
db.on("PUT", () => { throw new Error("a fault of the page"); });
db.on("PUT", hear("after"));
streams[0].write(frame(8, "put", { event: "put", collection: "people", data: "q" }));
await until("the second handler", () => names().includes("after"));
await until("the fault is told", () => thrown.includes("a fault of the page"));

// A break: it connects again, behind the last event.
heard.length = 0;
streams[0].end();
await until("another connection", () => names().includes("RECONNECT"));
assert.deepEqual(names(), ["DISCONNECT", "RECONNECT"]);
assert.deepEqual(connections()[1].parameters, { apikey: "k&y", lastEventId: "8" });
heard.length = 0;
streams[1].write(frame(9, "delete", { event: "delete", collection: "m-entry", data: ["w"] }));
await until("events go on", () => names().includes("DELETE"));

// Closed: no connection any more.
db.close();
assert.equal(names().at(-1), "DISCONNECT");
const before = connections().length;

// Silence: it connects again by itself.
db = new restdb("silent", { ...options, _keepalivediff: 50 });
const silent = () => connections().filter((one) => one.parameters.apikey === "silent").length;
await until("a second connection after silence", () => silent() >= 2);
db.close();
assert.equal(connections().length - before, silent(), "the closed one stayed closed");

// A refusal: it tries again after the delay, and tells of no connection.
heard.length = 0;
db = new restdb("refused", options);
db.on("CONNECT", hear("CONNECT"));
db.on("DISCONNECT", hear("DISCONNECT"));
await until("a second attempt", () => connections().filter((one) => one.parameters.apikey === "refused").length >= 2);
db.close();
assert.deepEqual(names(), []);

// A place that is gone: it begins anew, and says so.
heard.length = 0;
const first = streams.length;
db = new restdb("gone", options);
for (const name of ["CONNECT", "DISCONNECT", "RECONNECT", "POST"]) db.on(name, hear(name));
await until("a stream", () => streams.length > first);
streams[first].write(frame(900, "post", made));
await until("its event", () => names().includes("POST"));
streams[first].end();
await until("a stream from now on", () => names().includes("RECONNECT"));
assert.deepEqual(names(), ["CONNECT", "POST", "DISCONNECT", "RECONNECT"]);
db.close();

// A token, with a key for realtime or without.
for (const [more, key] of [[{}, "t.o.k"], [{ "realtime-api-key": "rk" }, "rk"]]) {
  const from = connections().length;
  db = new restdb("t.o.k", { ...options, jwt: true, ...more });
  await until("a connection by token", () => connections().length > from);
  assert.deepEqual(connections()[from].parameters, { jwt: "t.o.k", "rt-apikey": key });
  db.close();
}

// Requests: a token as Bearer, events published, children.
db = new restdb("t.o.k", { url: standin, jwt: true });
assert.deepEqual(await db.publish("answer", { a: 1 }), { event: "answer", data: { a: 1 } });
assert.equal(asked.at(-1).headers.authorization, "Bearer t.o.k");
assert.equal(asked.at(-1).headers["x-apikey"], undefined);
const parent = new db.people({ _id: "5f1f77bcf86cd799439011aa" });
const child = new db.notes({ text: "a" });
assert.equal(await parent.notes.addChild(child), child);
assert.deepEqual(
  [asked.at(-1).method, asked.at(-1).path, asked.at(-1).body],
  ["POST", `/rest/people/${parent._id}/notes`, { text: "a" }],
);
assert.equal(child._id, "5f1f77bcf86cd799439011cc");
// One that is saved already gets another parent.
await parent.notes.addChild(child);
assert.deepEqual([asked.at(-1).method, asked.at(-1).path], ["PUT", `/rest/notes/${child._id}`]);
assert.deepEqual(
  [asked.at(-1).body._parent_id, asked.at(-1).body._parent_def, asked.at(-1).body._parent_field],
  [parent._id, "people", "notes"],
);
const found = await parent.notes.getChild();
assert.ok(found[0] instanceof db.notes);
assert.equal(asked.at(-1).path, `/rest/people/${parent._id}/notes`);
// Children are no part of what is saved; those that came with the parent are there.
const embedded = new db.people({ _id: parent._id, notes: [{ _id: "n", text: "x" }] });
assert.deepEqual([embedded.notes.length, embedded.notes[0].text], [1, "x"]);
await embedded.save();
assert.equal("notes" in asked.at(-1).body, false);
assert.throws(() => new db.people({}).notes.addChild({}), /not saved/);

console.log(JSON.stringify("done"));
process.exit(0);

/** A fetch whose streams come a byte at a time: through characters and line ends. */
function byteByByte(whole) {
  return async (address, how) => {
    const answer = await whole(address, how);
    if (!String(address).includes("/realtime?")) return answer;
    const cut = (part, out) => part.forEach((byte) => out.enqueue(Uint8Array.of(byte)));
    return { status: answer.status, body: answer.body.pipeThrough(new TransformStream({ transform: cut })) };
  };
}
