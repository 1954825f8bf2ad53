<?php
// Guzzle, as Debian has it. PUT has the whole document with its _id, as it was read.
// records: list find create put-whole patch delete create-form
require "/usr/share/php/GuzzleHttp/autoload.php";

$client = new GuzzleHttp\Client([
    "base_uri" => getenv("URL"),
    "headers" => ["Content-Type" => "application/json", "X-apikey" => getenv("KEY")],
]);
$query = ["q" => '{"Year":2015}', "h" => '{"$orderby":{"Model":1}}'];
$whole = ["_id" => "557eb5ed345a1b27000005e7", "Model" => "180 Super Sport", "Year" => 2016];

$client->request("GET", "/rest/motorbikes");
$client->request("GET", "/rest/motorbikes", ["query" => $query]);
$client->request("POST", "/rest/motorbikes", ["json" => ["Model" => "Scrambler", "Year" => 1971]]);
$client->request("PUT", "/rest/motorbikes/557eb5ed345a1b27000005e7", ["json" => $whole]);
$client->request("PATCH", "/rest/motorbikes/557eb5ed345a1b27000005e7", ["json" => ["Color" => "red"]]);
$client->request("DELETE", "/rest/motorbikes/557eb5ed345a1b27000005ef");
$form = new GuzzleHttp\Client(["base_uri" => getenv("URL"), "headers" => ["X-apikey" => getenv("KEY")]]);
$form->request("POST", "/rest/motorbikes", ["form_params" => ["Model" => "Scrambler", "Year" => 1971]]);
