// Java's HttpURLConnection: the query is sent as it is given. PATCH is not known to it, so it is named by a header.
// records: list find-raw create put put-empty delete override-patch
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;

public class Connection {
    private static final String C = System.getenv("URL") + "/rest/motorbikes";

    private static void call(String method, String url, String body, String override) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        connection.setRequestMethod(method);
        connection.setRequestProperty("Content-Type", "application/json");
        connection.setRequestProperty("X-apikey", System.getenv("KEY"));
        if (override != null) {
            connection.setRequestProperty("X-HTTP-Method-Override", override);
        }
        if (body != null) {
            connection.setDoOutput(true);
            connection.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
        }
        connection.getInputStream().readAllBytes();
    }

    public static void main(String[] none) throws IOException {
        String a = C + "/557eb5ed345a1b27000005e7";
        call("GET", C, null, null);
        call("GET", C + "?q={\"Year\":2015}&h={\"$orderby\":{\"Model\":1}}", null, null);
        call("POST", C, "{\"Model\":\"Scrambler\",\"Year\":1971}", null);
        call("PUT", a, "{\"Year\":2016}", null);
        call("PUT", a, null, null);
        call("DELETE", C + "/557eb5ed345a1b27000005ef", null, null);
        call("POST", a, "{\"Color\":\"red\"}", "PATCH");
    }
}
