// OkHttp, which Android's HttpsURLConnection and most of its programs are made of.
// records: list find create put patch delete create-form
import okhttp3.FormBody;
import okhttp3.HttpUrl;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;

public class Android {
    private static final String C = System.getenv("URL") + "/rest/motorbikes";
    private static final OkHttpClient CLIENT = new OkHttpClient();

    private static RequestBody json(String text) {
        return RequestBody.create(MediaType.parse("application/json; charset=utf-8"), text);
    }

    private static void call(String method, String url, RequestBody body) throws Exception {
        Request request = new Request.Builder().url(url).method(method, body)
            .header("User-Agent", "my-restdb-app").header("Accept", "application/json")
            .header("x-apikey", System.getenv("KEY")).build();
        CLIENT.newCall(request).execute().close();
    }

    public static void main(String[] none) throws Exception {
        String a = C + "/557eb5ed345a1b27000005e7";
        HttpUrl found = HttpUrl.parse(C).newBuilder().addQueryParameter("q", "{\"Year\":2015}")
            .addQueryParameter("h", "{\"$orderby\":{\"Model\":1}}").build();
        call("GET", C, null);
        call("GET", found.toString(), null);
        call("POST", C, json("{\"Model\":\"Scrambler\",\"Year\":1971}"));
        call("PUT", a, json("{\"Year\":2016}"));
        call("PATCH", a, json("{\"Color\":\"red\"}"));
        call("DELETE", C + "/557eb5ed345a1b27000005ef", null);
        call("POST", C, new FormBody.Builder().add("Model", "Scrambler").add("Year", "1971").build());
        System.exit(0);
    }
}
