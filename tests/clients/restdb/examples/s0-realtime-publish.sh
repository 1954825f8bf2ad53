curl -k -s -i --max-time 20 -H "Content-Type: application/json" \
  -H "x-apikey: 560bd47058e7ab1b2648f4e7" \
  -X POST -d '{"event":"answer","data":{"name":42}}' \
  'https://mydb-fafc.restdb.io/realtime'
