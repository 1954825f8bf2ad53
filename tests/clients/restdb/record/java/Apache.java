// Apache HttpClient 4, as many Java programs use it.
// records: list find create put patch delete create-form
import java.util.List;
import org.apache.http.client.entity.UrlEncodedFormEntity;
import org.apache.http.client.methods.HttpEntityEnclosingRequestBase;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.client.methods.HttpDelete;
import org.apache.http.client.methods.HttpPatch;
import org.apache.http.client.methods.HttpPost;
import org.apache.http.client.methods.HttpPut;
import org.apache.http.client.methods.HttpUriRequest;
import org.apache.http.client.utils.URIBuilder;
import org.apache.http.entity.ContentType;
import org.apache.http.entity.StringEntity;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.message.BasicNameValuePair;
import org.apache.http.util.EntityUtils;

public class Apache {
    private static final String C = System.getenv("URL") + "/rest/motorbikes";

    private static HttpUriRequest with(HttpEntityEnclosingRequestBase request, String body) {
        request.setEntity(new StringEntity(body, ContentType.APPLICATION_JSON));
        return request;
    }

    public static void main(String[] none) throws Exception {
        String a = C + "/557eb5ed345a1b27000005e7";
        HttpPost form = new HttpPost(C);
        form.setEntity(new UrlEncodedFormEntity(List.of(
            new BasicNameValuePair("Model", "Scrambler"), new BasicNameValuePair("Year", "1971"))));
        HttpUriRequest[] all = {
            new HttpGet(C),
            new HttpGet(new URIBuilder(C).addParameter("q", "{\"Year\":2015}")
                .addParameter("h", "{\"$orderby\":{\"Model\":1}}").build()),
            with(new HttpPost(C), "{\"Model\":\"Scrambler\",\"Year\":1971}"),
            with(new HttpPut(a), "{\"Year\":2016}"),
            with(new HttpPatch(a), "{\"Color\":\"red\"}"),
            new HttpDelete(C + "/557eb5ed345a1b27000005ef"),
            form,
        };
        try (CloseableHttpClient client = HttpClients.createDefault()) {
            for (HttpUriRequest request : all) {
                request.setHeader("x-apikey", System.getenv("KEY"));
                EntityUtils.consume(client.execute(request).getEntity());
            }
        }
    }
}
