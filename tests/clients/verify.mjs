// Verifies deliveries with the published JavaScript packages. Reads JSON Lines {secret, headers, body} and prints, for
// each, the names of the packages that accept it.
import { readFileSync } from "node:fs";
import * as standardwebhooks from "standardwebhooks";
import * as svix from "svix";

const packages = { standardwebhooks, svix };
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const { secret, headers, body } = JSON.parse(line);
  const accepted = Object.entries(packages).filter(([, { Webhook, WebhookVerificationError }]) => {
    try {
      new Webhook(secret).verify(body, headers);
      return true;
    } catch (error) {
      if (error instanceof WebhookVerificationError) return false;
      throw error;
    }
  });
  console.log(JSON.stringify(accepted.map(([name]) => name)));
}
