# POST for what a firewall does not let through.
call() {
  curl -k -s --max-time 20 -X POST -H "Content-Type: application/json" -H "x-apikey: 560bd47058e7ab1b2648f4e7" \
    -H "X-HTTP-Method-Override: $1" -d "$2" 'https://mydb-fafc.restdb.io/rest/motorbikes/557eb5ed345a1b27000005e7'
  echo
}
call PUT '{"Year":2016}'
call PATCH '{"Color":"red"}'
call DELETE ''
