#!/usr/bin/env bash
# curl, as in shells and in scripts. Each line is one request.
# records: list find-raw find-encoded key-parameter totals create create-untyped create-form create-many put inc put-empty
# records: patch delete delete-many delete-query override-put override-delete bare-authorization old-version upgrade compressed
# records: chunked get-one suffix-json no-key wrong-key not-json
set -eu
JSON="Content-Type: application/json"
A=557eb5ed345a1b27000005e7
B=557eb5ed345a1b27000005ef
C="$URL/rest/motorbikes"
X="x-apikey: $KEY"
call() { curl -s --max-time 10 "$@" >/dev/null; }

# The sample of the vendor's document, with its flags.
call -k -i -H "$JSON" -H "$X" -X GET "$C"
call -g -H "$JSON" -H "$X" "$C"'?q={"Year":2015}&h={"$orderby":{"Model":1}}'
call -G -H "$X" "$C" --data-urlencode 'q={"Year": 2015}' --data-urlencode 'h={"$orderby": {"Model": 1}}'
call "$C?apikey=$KEY&sort=Year&dir=-1&max=1"
call -g -H "$X" "$C"'?q={"Year":{"$gt":2000}}&totals=true&count=true'
call -i -H "$JSON" -H "$X" -X POST -d '{"Model":"Scrambler","Year":1971}' "$C"
# Without a content type curl says that it is a form.
call -H "$X" -d '{"Model":"Scrambler","Year":1971}' "$C"
call -H "$X" -d Model=Scrambler -d Year=1971 "$C"
call -H "$JSON" -H "$X" -d '[{"Model":"Scrambler","Year":1971},{"Model":"Mito","Year":1990}]' "$C?validate=false"
call -i -H "$JSON" -H "$X" -X PUT -d '{"Year":2016}' "$C/$A"
call -H "$JSON" -H "$X" -X PUT -d '{"$inc":{"Year":1}}' "$C/$A"
call -H "$JSON" -H "$X" -X PUT "$C/$A"
call -i -H "$JSON" -H "$X" -X PATCH -d '{"Color":"red"}' "$C/$A"
call -i -H "$JSON" -H "$X" -X DELETE "$C/$B"
call -H "$JSON" -H "$X" -X DELETE -d '["557eb5ed345a1b27000005e7","557eb5ed345a1b27000005ef"]' "$C/*"
call -g -H "$JSON" -H "$X" -X DELETE "$C"'/*?q={"Year":1998}'
call -H "$JSON" -H "$X" -H "X-HTTP-Method-Override: PUT" -X POST -d '{"Year":2016}' "$C/$A"
call -H "$JSON" -H "$X" -H "X-HTTP-Method-Override: DELETE" -X POST "$C/$B"
call -H "Authorization: $KEY" "$C"
call -0 -H "$X" "$C"
call --http2 -H "$X" "$C"
call --compressed -H "$X" "$C"
call -H "$JSON" -H "$X" -H "Transfer-Encoding: chunked" -d '{"Model":"Scrambler","Year":1971}' "$C"
call -H "$JSON" -H "$X" "$C/$A"
call -H "$X" "$C.json?sort=Year"
call -H "$JSON" "$C"
call -H "$JSON" -H "x-apikey: 597a2c3d4e5f60718293a4b5" "$C"
call -H "$JSON" -H "$X" -d '{"Model":' "$C"
