// Plays the JavaScript client that RestDB.io generates for a database, by its rules and strictly. This is our own code.
//
// It reads JSON lines {url, key, task, ...} and prints "done" for each; a broken rule ends the program. The rules are those of
// the reference: the body of every answer is parsed as JSON, errors have a text `message`, X-Pagination is parsed, `h` is
// "undefined" where no hint was given, save sends every field of the schema. Tasks: documents, refusals; the rules of
// realtime are in realtime.mjs.
import assert from "node:assert/strict";
import readline from "node:readline";

const FIELDS = ["Model", "Year", "Color", "tags", "notes"];
const KEPT = ["_id", "_parent_id", "_parent_def", "_parent_field"];
const ID = /^[0-9a-f]{24}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** What the client does with every answer, before its caller sees anything. */
async function settled(answer, asked) {
  const text = await answer.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    assert.fail(`${asked}: ${answer.status} is no JSON: ${text.slice(0, 200)}`);
  }
  assert.match(answer.headers.get("content-type") ?? "", /^application\/json(; *charset=utf-8)?$/i, asked);
  // No header is parsed as null.
  JSON.parse(answer.headers.get("x-pagination"));
  if (answer.status >= 400) {
    // Without a text it would be sent again three times; a quoted one would be, too.
    assert.equal(typeof body.message, "string", `${asked}: ${text}`);
    assert.ok(body.message && !body.message.includes('"ValidationError"'), `${asked}: ${text}`);
    throw Object.assign(new Error(body.message), { status: answer.status, body });
  }
  return { status: answer.status, body };
}

class Database {
  constructor({ url, key }) {
    Object.assign(this, { url, key });
  }

  async send(method, path, body) {
    const headers = { "content-type": "application/json; charset=utf-8", "x-apikey": this.key };
    const text = body === undefined ? undefined : JSON.stringify(body);
    return settled(await fetch(this.url + path, { method, headers, body: text }), `${method} ${path}`);
  }

  async find(collection, q, h) {
    let more = "";
    if (h?.metafields) {
      more = "&metafields=true";
      h = { ...h };
      delete h.metafields;
    }
    const path = `/rest/${collection}?q=${JSON.stringify(q)}${more}&h=${JSON.stringify(h)}`;
    const { status, body } = await this.send("GET", path);
    assert.equal(status, 200);
    const isGrouped = h?.$aggregate || h?.$groupby;
    assert.equal(Array.isArray(body), !isGrouped, JSON.stringify(body));
    return isGrouped ? body : body.map((one) => new Item(this, collection, one));
  }

  async getById(collection, id) {
    const { body } = await this.send("GET", `/rest/${collection}/${id}`);
    return new Item(this, collection, body);
  }
}

/** An object of a class of the client. */
class Item {
  #db;
  #collection;

  constructor(db, collection, values) {
    this.#db = db;
    this.#collection = collection;
    Object.assign(this, values);
  }

  async save() {
    const sent = {};
    for (const name of FIELDS) sent[name] = this[name];
    for (const name of KEPT) if (this[name]) sent[name] = this[name];
    const path = `/rest/${this.#collection}${this._id ? `/${this._id}` : ""}`;
    const { status, body } = await this.#db.send(this._id ? "PUT" : "POST", path, sent);
    assert.equal(status, this._id ? 200 : 201);
    assert.match(body._id, ID);
    for (const name of ["_created", "_changed"]) assert.match(body[name], TIME, name);
    for (const name of ["_createdby", "_changedby"]) assert.equal(body[name], "api", name);
    Object.assign(this, body);
    return body;
  }

  async reload() {
    Object.assign(this, (await this.#db.send("GET", `/rest/${this.#collection}/${this._id}`)).body);
    return this;
  }

  async delete() {
    const { status, body } = await this.#db.send("DELETE", `/rest/${this.#collection}/${this._id}`);
    assert.deepEqual([status, body], [200, { result: [this._id] }]);
  }
}

const names = (items) => items.map((item) => item.Model);

async function documents(asked) {
  const db = new Database(asked);
  const bike = (values) => new Item(db, "motorbikes", values);
  const one = bike({ Model: "180 Super Sport", Year: 2015, tags: ["a", "b"] });
  const first = await one.save();
  assert.equal(first._created, first._changed);
  assert.deepEqual(Object.keys(first).filter((name) => !name.startsWith("_")).sort(), ["Model", "Year", "tags"]);
  const two = bike({ Model: "50 S", Year: 1998, notes: 'a "quoted" <text> é 漢 😀' });
  await two.save();
  assert.equal((await two.reload()).notes, 'a "quoted" <text> é 漢 😀');

  // Saving again sends the whole object; what it does not name stays.
  await db.send("PATCH", `/rest/motorbikes/${one._id}`, { Color: "red", other: 1 });
  one.Year = 2016;
  const again = await one.save();
  assert.deepEqual([again.Year, again.Color, again.other, again._created], [2016, "red", 1, first._created]);

  assert.deepEqual(names(await db.find("motorbikes", {})), ["180 Super Sport", "50 S"]);
  assert.deepEqual(names(await db.find("motorbikes", {}, [])), ["180 Super Sport", "50 S"]);
  assert.deepEqual(names(await db.find("motorbikes", { Year: { $lt: 2000 } }, undefined)), ["50 S"]);
  assert.deepEqual(names(await db.find("motorbikes", {}, { $orderby: { Year: 1 }, $max: 1 })), ["50 S"]);
  const [plain] = await db.find("motorbikes", { Year: 1998 }, { $fields: { Model: 1 } });
  assert.deepEqual({ ...plain }, { _id: two._id, Model: "50 S" });
  const [shown] = await db.find("motorbikes", { Year: 1998 }, { metafields: true });
  assert.equal(shown._version, 1);
  assert.match(shown._created, TIME);
  assert.ok(Array.isArray(shown._keywords) && shown._keywords.includes("quoted"), JSON.stringify(shown));
  assert.equal(typeof shown._tags, "string");
  assert.deepEqual(await db.find("motorbikes", {}, { $aggregate: ["COUNT:"] }), { "COUNT ": 2 });
  const groups = await db.find("motorbikes", {}, { $groupby: ["Year"] });
  assert.deepEqual(Object.keys(groups).sort(), ["1998", "2016"]);
  assert.ok(Array.isArray(groups["1998"]));

  // A child says whose it is, again with every save.
  const child = new Item(db, "parts", { Model: "wheel", _parent_id: one._id, _parent_def: "motorbikes", _parent_field: "parts" });
  await child.save();
  child.Year = 1;
  const saved = await child.save();
  assert.deepEqual([saved._parent_id, saved._parent_def, saved._parent_field], [one._id, "motorbikes", "parts"]);
  const [found] = await db.find("parts", { _parent_id: one._id });
  assert.deepEqual([found._parent_id, found._parent_def, found._parent_field], [one._id, "motorbikes", "parts"]);

  const same = await db.getById("motorbikes", one._id);
  assert.deepEqual([same.Model, same.Color], ["180 Super Sport", "red"]);
  await same.delete();
  await assert.rejects(one.reload(), { status: 404 });
  await assert.rejects(one.save(), { status: 404 });
  await assert.rejects(one.delete(), { status: 404 });
  assert.deepEqual(names(await db.find("motorbikes", {})), ["50 S"]);
}

/** Each of `rows` is refused with its status, by the rules. */
async function refusals({ url, key, rows }) {
  for (const row of rows) {
    const label = `${row.method} ${row.path} ${JSON.stringify(row.headers ?? {})}`;
    const headers = { "x-apikey": key, "content-type": "application/json", ...row.headers };
    for (const name of Object.keys(headers)) if (headers[name] === null) delete headers[name];
    const body = row.fill ? JSON.stringify({ a: "x".repeat(row.fill) }) : row.body;
    let refused;
    try {
      await settled(await fetch(url + row.path, { method: row.method, headers, body }), label);
    } catch (error) {
      if (error.status === undefined) throw error;
      refused = error;
    }
    assert.ok(refused, `${label} is not refused`);
    assert.equal(refused.status, row.status, `${label}: ${JSON.stringify(refused.body)}`);
    assert.equal(refused.body.status, row.status, label);
    assert.equal(typeof refused.body.name, "string", label);
    if (row.list) {
      assert.equal(refused.message, "ValidationError", label);
      const found = refused.body.list.map((entry) => [entry.field, entry.message[1]]);
      assert.deepEqual(found, row.list, label);
      assert.ok(refused.body.list.every((entry) => typeof entry.message[0] === "string"), label);
    }
  }
}

const TASKS = { documents, refusals };
for await (const line of readline.createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  await TASKS[asked.task](asked);
  console.log(JSON.stringify("done"));
}
