import https from "node:https";

const options = {
  method: "GET",
  hostname: "mydb-fafc.restdb.io",
  path: '/rest/motorbikes?q={"Year":2015}',
  port: 443,
  headers: {
    "Content-Type": "application/json",
    "x-apikey": "560bd47058e7ab1b2648f4e7",
    "Cache-Control": "no-cache",
  },
};
https
  .get(options, (res) => {
    let body = "";
    res.on("data", (chunk) => {
      body += chunk;
    });
    res.on("end", () => {
      try {
        console.log(JSON.stringify(JSON.parse(body)));
      } catch (error) {
        console.error(error.message);
      }
    });
  })
  .on("error", (error) => console.error(error.message));
