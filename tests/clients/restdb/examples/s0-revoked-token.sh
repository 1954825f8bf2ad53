curl -k -s --max-time 20 -o /dev/null -w '%{http_code}\n' -H "x-apikey: 560bd47058e7ab1b2648f4e7" \
  'https://mydb-fafc.restdb.io/rest/motorbikes'
