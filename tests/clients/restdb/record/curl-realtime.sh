#!/usr/bin/env bash
# The two samples of the vendor's document about streams of events, and an EventSource's parameters.
# records: subscribe publish subscribe-parameter
set -eu
call() { curl -s --max-time 10 "$@" >/dev/null; }
call -i -H "Content-Type: application/json" -H "x-apikey: $KEY" -X GET "$URL/realtime"
call -i -H "Content-Type: application/json" -H "x-apikey: $KEY" -X POST -d '{"event":"answer","data":{"name":42}}' "$URL/realtime"
call -H "Accept: text/event-stream" -H "Cache-Control: no-cache" "$URL/realtime?apikey=$KEY&lastEventId=&r=8351290463"
