"""Python's http.client, which sends a path as it is given, and urllib.

records: find-raw create find put
"""

import http.client
import json
import os
import urllib.parse
import urllib.request

HEADERS = {"content-type": "application/json", "x-apikey": os.environ["KEY"], "cache-control": "no-cache"}
C = os.environ["URL"] + "/rest/motorbikes"

connection = http.client.HTTPConnection(os.environ["HOST"], int(os.environ["PORT"]))
connection.request("GET", '/rest/motorbikes?q={"Year":2015}&h={"$orderby":{"Model":1}}', headers=HEADERS)
connection.getresponse().read()
connection.request("POST", "/rest/motorbikes", json.dumps({"Model": "Scrambler", "Year": 1971}), HEADERS)
connection.getresponse().read()
asked = urllib.parse.urlencode({"q": '{"Year":2015}', "h": '{"$orderby":{"Model":1}}'})
urllib.request.urlopen(urllib.request.Request(f"{C}?{asked}", headers=HEADERS)).read()
body = json.dumps({"Year": 2016}).encode()
urllib.request.urlopen(urllib.request.Request(f"{C}/557eb5ed345a1b27000005e7", body, HEADERS, method="PUT")).read()
