// Node's fetch (undici).
// records: list find create put patch delete create-form delete-many
const { KEY, URL: BASE } = process.env;
const C = `${BASE}/rest/motorbikes`;
const headers = { "content-type": "application/json", "x-apikey": KEY, "cache-control": "no-cache" };
const call = async (method, url, body) => (await fetch(url, { method, headers, body: body && JSON.stringify(body) })).text();

await call("GET", C);
await call("GET", `${C}?q={"Year":2015}&h={"$orderby":{"Model":1}}`);
await call("POST", C, { Model: "Scrambler", Year: 1971 });
await call("PUT", `${C}/557eb5ed345a1b27000005e7`, { Year: 2016 });
await call("PATCH", `${C}/557eb5ed345a1b27000005e7`, { Color: "red" });
await call("DELETE", `${C}/557eb5ed345a1b27000005ef`);
const form = new URLSearchParams({ Model: "Scrambler", Year: "1971" });
await (await fetch(C, { method: "POST", headers: { "x-apikey": KEY }, body: form })).text();
await call("DELETE", `${C}/*`, ["557eb5ed345a1b27000005e7", "557eb5ed345a1b27000005ef"]);
