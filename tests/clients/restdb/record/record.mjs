// Runs real clients against a listener that keeps the bytes of every request: requests/<client>/<name>.http.
//
// node record.mjs [client...]: all clients, or those named. Each program says in a line `records: <names>` what its requests
// are called, in their order; a preflight of a browser is called after the request that it precedes, with `-preflight`.
// The listener answers with plausible JSON, so that clients go on. Nothing here is run by the tests.
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const HERE = import.meta.dirname;
const REQUESTS = path.join(HERE, "..", "requests");
const PORT = 18473;
const PAGES = 18474;
const URL = `http://127.0.0.1:${PORT}`;
// Packages of npm, and Debian's of Java: see README.
const PACKAGES = process.env.RECORD_PACKAGES ?? path.join(os.tmpdir(), "headwater-record");

/** The programs, by the folder of what they send. */
const CLIENTS = {
  curl: ["bash", "curl.sh"],
  "curl-realtime": ["bash", "curl-realtime.sh"],
  node: ["node", "node.mjs"],
  fetch: ["node", "fetch.mjs"],
  axios: ["node", "axios.mjs", "axios"],
  "axios-0.27": ["node", "axios.mjs", "axios0"],
  "axios-0.16": ["node", "axios.mjs", "axios16"],
  python: ["python3", "with_requests.py"],
  urllib: ["python3", "with_urllib.py"],
  java: ["java", "java/Connection.java"],
  "java-httpclient": ["java", "java/Apache.java"],
  okhttp: ["java", "java/Android.java"],
  "java-net-http": ["java", "java/Modern.java"],
  php: ["php", "php/curl.php"],
  "php-streams": ["php", "php/streams.php"],
  guzzle: ["php", "php/guzzle.php"],
  xhr: ["browser", "xhr.html"],
  jquery: ["browser", "jquery.html"],
  composed: ["node", "composed.mjs"],
};

/** Where a request at the front of some bytes ends; undefined: it has not come yet. */
function end(bytes) {
  const head = bytes.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const text = bytes.subarray(0, head).toString("latin1");
  const body = head + 4;
  if (/^transfer-encoding: *chunked/im.test(text)) {
    const last = bytes.indexOf("0\r\n\r\n", body);
    return last < 0 ? undefined : last + 5;
  }
  const length = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0);
  return bytes.length < body + length ? undefined : body + length;
}

/** What clients are told: enough for them to go on. */
function answer(request) {
  const text = request.toString("latin1");
  const method = text.split(" ", 1)[0];
  const origin = /^origin: *(\S+)/im.exec(text)?.[1];
  const headers = ["Content-Type: application/json", "Connection: keep-alive"];
  if (origin) {
    const wanted = /^access-control-request-headers: *(.+)$/im.exec(text)?.[1].trim();
    headers.push(`Access-Control-Allow-Origin: ${origin}`, "Access-Control-Allow-Credentials: true");
    headers.push("Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE");
    headers.push("Access-Control-Max-Age: 0");
    if (wanted) headers.push(`Access-Control-Allow-Headers: ${wanted}`);
  }
  if (method === "OPTIONS") return ["HTTP/1.1 204 No Content", ...headers, "", ""].join("\r\n");
  const body = method === "GET" ? "[]" : '{"_id":"557eb5ed345a1b27000005e7"}';
  const status = method === "POST" ? "201 Created" : "200 OK";
  headers.push(`Content-Length: ${body.length}`);
  return [`HTTP/1.1 ${status}`, ...headers, "", method === "HEAD" ? "" : body].join("\r\n");
}

/** Keeps what one client sends. */
function listen(client, names) {
  const dir = path.join(REQUESTS, client);
  fs.mkdirSync(dir, { recursive: true });
  for (const old of fs.readdirSync(dir)) if (old.endsWith(".http")) fs.rmSync(path.join(dir, old));
  const left = [...names];
  const keep = (request) => {
    const isPreflight = /^OPTIONS .*[^]*^access-control-request-method:/im.test(request.toString("latin1"));
    const name = isPreflight ? `${left[0]}-preflight` : left.shift();
    if (!name) throw new Error(`${client}: a request without a name:\n${request}`);
    fs.writeFileSync(path.join(dir, `${name}.http`), request);
  };
  const server = net.createServer((socket) => {
    let bytes = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (part) => {
      bytes = Buffer.concat([bytes, part]);
      for (let to = end(bytes); to !== undefined; to = end(bytes)) {
        const request = bytes.subarray(0, to);
        bytes = bytes.subarray(to);
        keep(request);
        const isOld = /^[^\r]* HTTP\/1\.0\r/.test(request.toString("latin1"));
        const isLast = isOld || /^connection: *close/im.test(request.toString("latin1"));
        socket.write(answer(request));
        if (isLast || client === "curl-realtime") socket.end();
      }
    });
  });
  return { server, left };
}

const JARS = ["httpclient", "httpcore", "commons-logging", "commons-codec", "okhttp", "okio"];
const CLASSPATH = JARS.map((name) => `/usr/share/java/${name}.jar`).join(":");
const environment = { ...process.env, URL, HOST: "127.0.0.1", PORT, KEY: "560bd47058e7ab1b2648f4e7", PACKAGES, CLASSPATH };

function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: HERE, env: environment, stdio: ["ignore", "ignore", "inherit"] });
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${program} ${args}: ${code}`))));
  });
}

/** Serves a page from another origin, and waits until it says that it is done. */
async function browse(page) {
  let done;
  const finished = new Promise((resolve) => (done = resolve));
  const pages = http.createServer((asked, reply) => {
    if (asked.url === "/done") done();
    const files = { "/": path.join(HERE, page), "/jquery.js": path.join(PACKAGES, "node_modules/jquery/dist/jquery.js") };
    const file = files[asked.url];
    if (!file) return reply.writeHead(404).end();
    reply.writeHead(200, { "content-type": file.endsWith(".js") ? "text/javascript" : "text/html" });
    const text = fs.readFileSync(file, "utf8").replaceAll("URL_HERE", URL).replaceAll("KEY_HERE", environment.KEY);
    reply.end(text);
  });
  await new Promise((resolve) => pages.listen(PAGES, "127.0.0.1", resolve));
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "record-"));
  const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"];
  flags.push("--disable-background-networking", "--remote-debugging-port=0", `--user-data-dir=${profile}`);
  const browser = spawn("chromium", [...flags, `http://127.0.0.1:${PAGES}/`], { stdio: "ignore", detached: true });
  const timer = setTimeout(() => { throw new Error(`${page} is not done`); }, 60_000);
  await finished;
  clearTimeout(timer);
  process.kill(-browser.pid, "SIGKILL");
  pages.closeAllConnections();
  await new Promise((resolve) => pages.close(resolve));
}

const wanted = process.argv.slice(2);
for (const client of wanted.length ? wanted : Object.keys(CLIENTS)) {
  const [program, file, ...more] = CLIENTS[client];
  const source = fs.readFileSync(path.join(HERE, file), "utf8");
  const names = [...source.matchAll(/records: (.+)/g)].flatMap((line) => line[1].replace(/-->.*/, "").trim().split(/\s+/));
  const { server, left } = listen(client, names);
  await new Promise((resolve) => server.listen(PORT, "127.0.0.1", resolve));
  if (program === "browser") await browse(file);
  else await run(program, [file, ...more]);
  server.close();
  if (left.length) throw new Error(`${client} did not send ${left}`);
  console.log(`${client}: ${names.length}`);
}
process.exit(0);
