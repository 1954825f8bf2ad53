import json

import requests

url = "https://mydb-fafc.restdb.io/rest/motorbikes"
headers = {
    "content-type": "application/json",
    "x-apikey": "560bd47058e7ab1b2648f4e7",
    "cache-control": "no-cache",
}
response = requests.request("GET", url, headers=headers, params={"q": json.dumps({"Year": 2015})})
print(response.text)
