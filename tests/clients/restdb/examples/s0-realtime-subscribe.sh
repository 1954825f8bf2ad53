curl -k -s -i -N --max-time 60 -H "Content-Type: application/json" \
  -H "x-apikey: 560bd47058e7ab1b2648f4e7" \
  -X GET 'https://mydb-fafc.restdb.io/realtime'
