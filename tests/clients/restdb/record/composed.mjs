// Programs that are not here to be recorded: their headers as the vendor's document and the programs' own make them.
// records: postman-find postman-create ios-list android-list
import net from "node:net";

const { KEY, HOST, PORT } = process.env;
const host = `Host: ${HOST}:${PORT}`;
const postman = [
  `x-apikey: ${KEY}`, "Cache-Control: no-cache", "User-Agent: PostmanRuntime/7.39.0", "Accept: */*",
  "Postman-Token: 3c0f5a3e-6f0f-4d6e-9c57-0f1f3c8a4a11", host, "Accept-Encoding: gzip, deflate, br", "Connection: keep-alive",
];
const bike = '{\n    "Model": "Scrambler",\n    "Year": 1971\n}';
const REQUESTS = [
  // A query that is typed into the address line: quotes encoded, the rest as it is.
  ["GET /rest/motorbikes?q={%22Year%22:%202015}&h={%22$orderby%22:%20{%22Model%22:%201}} HTTP/1.1", ...postman, "", ""],
  ["POST /rest/motorbikes HTTP/1.1", "Content-Type: application/json", ...postman, `Content-Length: ${bike.length}`, "", bike],
  // URLSession of the Swift sample.
  [
    "GET /rest/motorbikes HTTP/1.1", host, "content-type: application/json", "Connection: keep-alive", "Accept: */*",
    "User-Agent: motorbikes/1 CFNetwork/1494.0.7 Darwin/23.4.0", `x-apikey: ${KEY}`, "Accept-Language: en-GB,en;q=0.9",
    "Accept-Encoding: gzip, deflate", "cache-control: no-cache", "", "",
  ],
  // HttpsURLConnection of the Android sample.
  [
    "GET /rest/motorbikes HTTP/1.1", "User-Agent: my-restdb-app", "Accept: application/json", `x-apikey: ${KEY}`, host,
    "Connection: Keep-Alive", "Accept-Encoding: gzip", "", "",
  ],
];
const socket = net.connect(PORT, HOST);
for (const lines of REQUESTS) {
  socket.write(lines.join("\r\n"));
  await new Promise((resolve) => socket.once("data", resolve));
}
socket.end();
