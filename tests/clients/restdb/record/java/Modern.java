// java.net.http, which offers HTTP/2 by an upgrade.
// records: list find create put patch delete
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;

public class Modern {
    private static final String C = System.getenv("URL") + "/rest/motorbikes";
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    private static void call(String method, String url, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
            .header("content-type", "application/json")
            .header("x-apikey", System.getenv("KEY"))
            .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
            .build();
        CLIENT.send(request, BodyHandlers.ofString());
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    public static void main(String[] none) throws Exception {
        String a = C + "/557eb5ed345a1b27000005e7";
        call("GET", C, null);
        call("GET", C + "?q=" + encoded("{\"Year\":2015}") + "&h=" + encoded("{\"$orderby\":{\"Model\":1}}"), null);
        call("POST", C, "{\"Model\":\"Scrambler\",\"Year\":1971}");
        call("PUT", a, "{\"Year\":2016}");
        call("PATCH", a, "{\"Color\":\"red\"}");
        call("DELETE", C + "/557eb5ed345a1b27000005ef", null);
    }
}
