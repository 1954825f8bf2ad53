"""Verifies deliveries with the published Python packages. Reads JSON Lines {secret, headers, body} and prints, for
each, the names of the packages that accept it."""

import json
import sys

import standardwebhooks
import svix

VERIFIERS = {"standardwebhooks": standardwebhooks.Webhook, "svix": svix.Webhook}
REFUSALS = (standardwebhooks.WebhookVerificationError, svix.WebhookVerificationError)

for line in sys.stdin:
    delivery = json.loads(line)
    accepted = []
    for name, verifier in VERIFIERS.items():
        try:
            verifier(delivery["secret"]).verify(delivery["body"], delivery["headers"])
            accepted.append(name)
        except REFUSALS:
            pass
    print(json.dumps(accepted))
