// The generated JavaScript API in Node against a server's own `/realtime`: what is written is told, events are published,
// children are added. One line of input: {url, key}; `people` has a field `notes` of the type child, of the collection
// `notes`, and is empty; `key` has full access, or one that may write and follow them.
import assert from "node:assert/strict";
import { load, input, until } from "./load.mjs";

const { url, key } = await input();
const { restdb } = await load(url);
const db = new restdb(key, { url, realtime: true, reconnectdelay: 50 });

const heard = [];
const hear = (name) => (error, event) => heard.push([name, error, event]);
const data = (name) => heard.filter(([known]) => known === name).map(([, , event]) => event && event.data);
for (const name of ["CONNECT", "POST", "PUT", "DELETE", "answer"]) db.on(name, hear(name));
await until("a connection", () => heard.length > 0);
assert.deepEqual(heard, [["CONNECT", null, null]]);

// A document that comes, changes and goes.
db.people.on("POST", hear("people POST"));
const jane = await new db.people({ name: "Jane" }).save();
await until("the new one", () => data("people POST").length === 1);
assert.equal(data("people POST")[0]._id, jane._id);
assert.equal(data("POST")[0].name, "Jane");
jane.on("PUT", hear("jane PUT"));
jane.on("DELETE", hear("jane DELETE"));
jane.name = "Jane D";
await jane.save();
await until("the change", () => data("jane PUT").length === 1);
assert.equal(data("jane PUT")[0], jane._id);
const other = await new db.people({ name: "Bob" }).save();
await other.delete();
await jane.delete();
await until("the deletions", () => data("DELETE").length === 2);
assert.deepEqual(data("DELETE"), [[other._id], [jane._id]]);
assert.deepEqual(data("jane DELETE"), [[jane._id]]);

// Events of the caller's own.
await db.publish("answer", { value: 42 });
await until("the answer", () => data("answer").length === 1);
assert.deepEqual(data("answer"), [{ value: 42 }]);
db.off("answer");
await db.publish("answer", "nobody hears it");

// Children.
const parent = await new db.people({ name: "Parent" }).save();
const child = await parent.notes.addChild(new db.notes({ text: "a" }));
assert.equal(child.text, "a");
const found = await parent.notes.getChild();
assert.deepEqual(found.map((one) => [one._id, one.text]), [[child._id, "a"]]);
await until("the child is told", () => data("POST").some((one) => one._id === child._id));
assert.equal(data("answer").length, 1, "what was taken away hears nothing");

// What came while it was away comes when it is back: it takes every silence for a break, and so is away most of the time.
const late = new restdb(key, { url, realtime: true, reconnectdelay: 50, _keepalivedelay: 20, _keepalivediff: 0 });
late.people.on("POST", hear("late POST"));
late.on("RECONNECT", hear("RECONNECT"));
await until("an event to go on from", () => {
  if (data("late POST").length === 0) new db.people({ name: "before" }).save();
  return data("late POST").length > 0;
});
const names = ["a", "b", "c", "d", "e"];
for (const name of names) {
  const breaks = data("RECONNECT").length;
  await new db.people({ name }).save();
  await until("another break", () => data("RECONNECT").length > breaks);
}
const told = () => data("late POST").map((one) => one.name).filter((name) => names.includes(name));
await until("all of them", () => told().length >= names.length);
assert.deepEqual(told(), names, "no gap and no double");
late.close();

db.close();
console.log(JSON.stringify("done"));
process.exit(0);
