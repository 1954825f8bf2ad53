"""Python's requests: JSON, and forms as the published wrapper for RestDB.io sends them.

records: list find create put patch delete create-form put-form find-wrapper delete-query find-raw
"""

import json
import os

import requests

C = os.environ["URL"] + "/rest/motorbikes"
A, B = C + "/557eb5ed345a1b27000005e7", C + "/557eb5ed345a1b27000005ef"
HEADERS = {"content-type": "application/json", "x-apikey": os.environ["KEY"], "cache-control": "no-cache"}
PLAIN = {"x-apikey": os.environ["KEY"]}
SCRAMBLER = {"Model": "Scrambler", "Year": 1971}
Q = {"q": json.dumps({"Year": 2015}), "h": json.dumps({"$orderby": {"Model": 1}})}

requests.request("GET", C, headers=HEADERS)
requests.get(C, headers=HEADERS, params=Q)
requests.request("POST", C, data=json.dumps(SCRAMBLER), headers=HEADERS)
requests.put(A, json={"Year": 2016}, headers=PLAIN)
requests.patch(A, json={"Color": "red"}, headers=PLAIN)
requests.delete(B, headers=HEADERS)
requests.post(C, data=SCRAMBLER, headers=PLAIN)
requests.put(A, data={"Year": 2016}, headers=PLAIN)
# The wrapper makes its JSON of a Python text by exchanging the quotes.
requests.get(C, headers=PLAIN, params={"q": str({"Model": "50 S"}).replace("'", '"'), "max": 5})
requests.delete(C + "/*", headers=PLAIN, params={"q": '{"Year": 1998}'})
requests.get(C + '?q={"Year":2015}&h={"$orderby":{"Model":1}}', headers=PLAIN)
