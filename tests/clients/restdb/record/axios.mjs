// axios, in the version that is named.
// records: list find create put patch delete find-raw find-objects
import { createRequire } from "node:module";

const { KEY, URL: BASE, PACKAGES } = process.env;
const loaded = createRequire(`${PACKAGES}/`)(process.argv[2]);
const axios = loaded.default ?? loaded;
const client = axios.create({ baseURL: `${BASE}/rest`, headers: { "x-apikey": KEY, "cache-control": "no-cache" } });

await client.get("/motorbikes");
await client.get("/motorbikes", { params: { q: '{"Year":2015}', h: '{"$orderby":{"Model":1}}' } });
await client.post("/motorbikes", { Model: "Scrambler", Year: 1971 });
await client.put("/motorbikes/557eb5ed345a1b27000005e7", { Year: 2016 });
await client.patch("/motorbikes/557eb5ed345a1b27000005e7", { Color: "red" });
await client.delete("/motorbikes/557eb5ed345a1b27000005ef");
await client.get(`/motorbikes?q={"Year":2015}&h={"$orderby":{"Model":1}}`);
// Version 0 makes JSON of objects, version 1 makes names with brackets.
await client.get("/motorbikes", { params: { q: { Year: 2015 }, h: { $orderby: { Model: 1 } } } });
