# A key or a token as a parameter.
curl -k -s --max-time 20 "https://mydb-fafc.restdb.io/rest/motorbikes?apikey=560bd47058e7ab1b2648f4e7"
curl -k -s --max-time 20 "https://mydb-fafc.restdb.io/rest/motorbikes?jwt=560bd47058e7ab1b2648f4e7"
