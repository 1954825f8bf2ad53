// Verifies v1a signatures with the Ed25519 of Node itself. Reads JSON Lines {public_key, headers, body} and prints, for
// each, how many of the signatures are of that key.
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const { public_key, headers, body } = JSON.parse(line);
  if (!public_key.startsWith("whpk_")) throw new Error(`no public key: ${public_key}`);
  const x = Buffer.from(public_key.slice(5), "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const text = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
  const signatures = headers["webhook-signature"].split(" ").map((one) => one.split(","));
  const good = signatures.filter(
    ([version, signature]) => version === "v1a" && verify(null, text, key, Buffer.from(signature, "base64")),
  );
  console.log(good.length);
}
