# A server that others control: its key may GET /customers/** and nothing else, wherever it comes from.
call() { curl -k -s --max-time 20 -o /dev/null -w '%{http_code}\n' -H "x-apikey: 560bd47058e7ab1b2648f4e7" "$@"; }
call 'https://mydb-fafc.restdb.io/rest/customers'
call 'https://mydb-fafc.restdb.io/rest/customers/55c348ee6fde358e3c00bb8a'
call 'https://mydb-fafc.restdb.io/rest/motorbikes'
call -H "Content-Type: application/json" -d '{}' 'https://mydb-fafc.restdb.io/rest/customers'
call -X DELETE 'https://mydb-fafc.restdb.io/rest/customers/55c348ee6fde358e3c00bb8a'
