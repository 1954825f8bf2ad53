<?php
// PHP's file_get_contents with a stream context.
// records: list find-raw create put delete
$c = getenv("URL") . "/rest/motorbikes";

function call(string $method, string $url, ?string $body = null): void
{
    $http = ["method" => $method, "header" => "Content-Type: application/json\r\nx-apikey: " . getenv("KEY")];
    if ($body !== null) {
        $http["content"] = $body;
    }
    file_get_contents($url, false, stream_context_create(["http" => $http]));
}

call("GET", $c);
call("GET", $c . '?q={"Year":2015}&h={"$orderby":{"Model":1}}');
call("POST", $c, json_encode(["Model" => "Scrambler", "Year" => 1971]));
call("PUT", "$c/557eb5ed345a1b27000005e7", json_encode(["Year" => 2016]));
call("DELETE", "$c/557eb5ed345a1b27000005ef");
