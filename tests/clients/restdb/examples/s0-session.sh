# Log in once, then use the database without a key. A browser keeps the cookie as curl does here.
jar=$(mktemp)
trap 'rm -f "$jar"' EXIT
curl -k -s --max-time 20 -c "$jar" -o /dev/null -H "Content-Type: application/json" \
  -d '{"email":"ann@example.com","password":"a long password"}' 'https://mydb-fafc.restdb.io/v1/sessions'
curl -k -s --max-time 20 -b "$jar" 'https://mydb-fafc.restdb.io/rest/motorbikes'
