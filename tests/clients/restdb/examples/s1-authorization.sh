# With shell, the right header is passed with each request: a key without a scheme.
curl -k -s --max-time 20 "https://mydb-fafc.restdb.io/rest/motorbikes" \
  -H "Authorization: 560bd47058e7ab1b2648f4e7"
