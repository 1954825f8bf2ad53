// The generated JavaScript API in Node against a server: documents, queries, refusals. One line of input: {url, key}.
import assert from "node:assert/strict";
import { load, input } from "./load.mjs";

const { url, key } = await input();
const { restdb, text } = await load(url);

// As a page loads it: without a credential; both builds are the same file.
assert.equal(await (await fetch(`${url}/rest/_jsapi.js?plainjs=true`)).text(), text);
assert.throws(() => new restdb(key), /`url`/);

const db = new restdb(key, { url: url + "/" });
assert.equal(db.url, url);
assert.equal(db.apikey, key);
assert.equal(db.logging, false);

/** A call with a callback, as a promise. */
const called = (run) => new Promise((resolve) => run((error, result) => resolve([error, result])));

// Save: POST, then PUT.
const jane = new db.people({ name: "Jane", "first-name": "J", age: "42", on: "a field that is called as a method" });
assert.equal(jane._id, undefined);
const [none, saved] = await called((done) => jane.save(done));
assert.equal(none, null);
assert.equal(saved, jane);
assert.match(jane._id, /^[0-9a-f]{24}$/);
assert.equal(jane.age, 42, "what the server made of it comes back");
assert.equal(jane._createdby, "api");
assert.equal(typeof jane.on, "function");
jane.name = "Jane D";
await jane.save();
const direct = await (await fetch(`${url}/rest/people/${jane._id}`, { headers: { "x-apikey": key } })).json();
assert.deepEqual([direct.name, direct.on, direct.notes], ["Jane D", "a field that is called as a method", undefined]);

// Reload.
await fetch(`${url}/rest/people/${jane._id}`, {
  method: "PUT", headers: { "x-apikey": key, "content-type": "application/json" }, body: JSON.stringify({ age: 43 }),
});
assert.equal(await jane.reload(), jane);
assert.equal(jane.age, 43);

// Find, with and without hints; the class of each; pagination.
await new db.people({ name: "Bob \"'&<>\u2028", age: 1 }).save();
const [, all] = await called((done) => db.people.find({}, done));
assert.equal(all.length, 2);
assert.ok(all[0] instanceof db.people);
assert.deepEqual(all.pagination, { total: 2, count: 2, skip: 0, max: 1000 });
const hints = { metafields: true, $orderby: { age: 1 }, $max: 1 };
const [first] = await db.people.find({}, hints);
assert.equal(first._version, 1);
assert.equal(hints.metafields, true, "what was given is not changed");
assert.equal((await db.people.find({ name: "Bob \"'&<>\u2028" })).length, 1);
assert.deepEqual(await db.people.find({ $distinct: "age" }), [1, 43]);
assert.deepEqual(await db.people.find({}, { $aggregate: ["SUM:age"] }), { "SUM age": 44 });
assert.equal((await called((done) => db.people.find(done)))[1].length, 2);

// Names: without dashes and underscores; by their real names; by none that is the client's own.
const entry = await new db.mentry({ a: 1 }).save();
assert.equal(db.mentry, db.collection("m-entry"));
assert.equal((await db.collection("m-entry").getById(entry._id)).a, 1);
assert.equal((await new (db.collection("made_later"))({ b: 2 }).save()).b, 2);
assert.equal(typeof db.on, "function");
assert.equal(typeof db.collection("on").find, "function");

// Names of fields that are traps.
const trap = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 5}');
const trapped = await new db.people({ ...trap, name: "T", ["__proto__"]: { polluted: true } }).save();
assert.equal({}.polluted, undefined);
assert.equal(trapped.polluted, undefined);
assert.equal(typeof trapped.save, "function");

// Delete: with and without a callback.
assert.deepEqual(await trapped.delete(), { result: [trapped._id] });
const [gone] = await called((done) => db.people.getById(trapped._id, done));
assert.equal(gone.status, 404);
first.delete();

// Refusals.
const [broken] = await called((done) => new db.people({ age: "x" }).save(done));
assert.ok(broken instanceof Error);
assert.deepEqual([broken.message, broken.name, broken.status], ["ValidationError", "ValidationError", 400]);
assert.deepEqual(broken.list.map((one) => [one.field, one.message[1]]).sort(), [["age", "TYPE"], ["name", "REQUIRED"]]);
assert.equal(JSON.parse(broken.responseText).message, "ValidationError");
await assert.rejects(new restdb("wrong", { url }).people.find({}), { status: 403 });
await assert.rejects(new restdb(key, { url: "http://127.0.0.1:9" }).people.find({}), { status: 0, name: "NetworkError" });
await assert.rejects(async () => new db.people({}).delete(), /not saved/);

// A token goes as Bearer.
const token = await (await fetch(`${url}/v1/tokens`, {
  method: "POST", headers: { "x-apikey": key, "content-type": "application/json" }, body: "{}",
})).json();
assert.ok((await new restdb(token.token, { url, jwt: true }).people.find({})).length >= 1);

console.log(JSON.stringify("done"));
