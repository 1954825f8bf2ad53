// A server of one's own with the key that may do everything: each of the five methods.
const C = "https://mydb-fafc.restdb.io/rest/motorbikes";
const headers = { "content-type": "application/json", "x-apikey": "560bd47058e7ab1b2648f4e7" };
async function call(method, url, body) {
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  console.log(JSON.stringify([method, answer.status, await answer.json()]));
}
await call("GET", `${C}/557eb5ed345a1b27000005e7`);
await call("POST", C, { _id: "557eb5ed345a1b27000005f7", Model: "Mito", Year: 1990 });
await call("PUT", `${C}/557eb5ed345a1b27000005f7`, { Year: 1991 });
await call("PATCH", `${C}/557eb5ed345a1b27000005f7`, { Color: "red" });
await call("DELETE", `${C}/557eb5ed345a1b27000005f7`);
