// Node's http, with `path` sent as it is given, and a body written to the request. The vendor's sample uses https.
// records: list find-raw create put patch delete create-no-length find-url
import http from "node:http";

const { KEY, HOST, PORT, URL: BASE } = process.env;
const PATH = "/rest/motorbikes";
const headers = { "Content-Type": "application/json", "x-apikey": KEY, "Cache-Control": "no-cache" };
const of = (method, path, more = {}) => ({ method, hostname: HOST, path, port: PORT, headers: { ...headers, ...more } });

function read(start) {
  return new Promise((resolve, reject) => {
    start((answer) => {
      answer.resume();
      answer.on("end", resolve);
    }).on("error", reject);
  });
}
const get = (options) => read((then) => http.get(options, then));
const send = (options, body) => read((then) => http.request(options, then).end(body));
const streamed = (options, body) =>
  read((then) => {
    const request = http.request(options, then);
    request.write(body);
    request.end();
    return request;
  });

await get(of("GET", PATH));
await get(of("GET", `${PATH}?q={"Year":2015}&h={"$orderby":{"Model":1}}`));
const scrambler = JSON.stringify({ Model: "Scrambler", Year: 1971 });
await send(of("POST", PATH, { "Content-Length": Buffer.byteLength(scrambler) }), scrambler);
await send(of("PUT", `${PATH}/557eb5ed345a1b27000005e7`), JSON.stringify({ Year: 2016 }));
await send(of("PATCH", `${PATH}/557eb5ed345a1b27000005e7`), JSON.stringify({ Color: "red" }));
await send(of("DELETE", `${PATH}/557eb5ed345a1b27000005ef`));
await streamed(of("POST", PATH), scrambler);
await read((then) => http.get(`${BASE}${PATH}?q={"Year":2015}&h={"$orderby":{"Model":1}}`, { headers }, then));
process.exit(0);
