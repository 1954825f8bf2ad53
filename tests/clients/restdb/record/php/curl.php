<?php
// PHP's curl functions.
// records: list find-raw create put patch delete create-form
$c = getenv("URL") . "/rest/motorbikes";

function call(string $method, string $url, $body = null, bool $isJson = true): void
{
    $curl = curl_init();
    $headers = ["cache-control: no-cache", "x-apikey: " . getenv("KEY")];
    if ($isJson) {
        $headers[] = "content-type: application/json";
    }
    $options = [
        CURLOPT_URL => $url,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_ENCODING => "",
        CURLOPT_MAXREDIRS => 10,
        CURLOPT_TIMEOUT => 30,
        CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1,
        CURLOPT_CUSTOMREQUEST => $method,
        CURLOPT_HTTPHEADER => $headers,
    ];
    if ($body !== null) {
        $options[CURLOPT_POSTFIELDS] = $body;
    }
    curl_setopt_array($curl, $options);
    curl_exec($curl);
    curl_close($curl);
}

$a = "$c/557eb5ed345a1b27000005e7";
call("GET", $c);
call("GET", $c . '?q={"Year":2015}&h={"$orderby":{"Model":1}}');
call("POST", $c, json_encode(["Model" => "Scrambler", "Year" => 1971]));
call("PUT", $a, json_encode(["Year" => 2016]));
call("PATCH", $a, json_encode(["Color" => "red"]));
call("DELETE", "$c/557eb5ed345a1b27000005ef");
call("POST", $c, http_build_query(["Model" => "Scrambler", "Year" => 1971]), false);
