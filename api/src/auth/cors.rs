//! CORS: which headers let pages of another origin read an answer.
//!
//! Guarantees: `*` and `null` never stand together with credentials; what depends on the origin says `Vary: Origin`.
//! Leaves to others: refusing the request itself (the surface, the session), methods and headers of preflights (the router).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderName, VARY,
};
use http::{HeaderMap, HeaderValue};

use super::grant::{Surface, same_origin};

/// How the caller is let in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How<'a> {
    /// By a key or token that a script sends itself, or not at all.
    Public,
    /// The same, where pages send cookies along that nobody looks at.
    PublicWithCookies,
    /// By a web key, with what it demands.
    Web(&'a Surface),
    /// The same, where pages send cookies along that nobody looks at.
    WebWithCookies(&'a Surface),
    /// By a cookie.
    Cookie {
        /// The server's own origin, as the page would name it.
        own: Option<&'a str>,
        /// The other origins whose pages may use the cookie.
        others: &'a [String],
    },
}

/// The headers of an answer to a page of an origin (`None`: none was sent).
pub(crate) fn answer(origin: Option<&str>, how: How<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let vary = (VARY, HeaderValue::from_static("Origin"));
    match how {
        How::Public => vec![(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))],
        How::PublicWithCookies => {
            origin.and_then(echo).into_iter().chain(unless_null(origin)).chain([vary]).collect()
        }
        How::Web(surface) => {
            let admitted = origin.filter(|origin| surface.admits_origin(origin));
            admitted.and_then(echo).into_iter().chain([vary]).collect()
        }
        How::WebWithCookies(surface) => {
            let admitted = origin.filter(|origin| surface.admits_origin(origin));
            admitted.and_then(echo).into_iter().chain(unless_null(admitted)).chain([vary]).collect()
        }
        How::Cookie { own, others } => {
            let admitted = origin.filter(|origin| admits_cookie(origin, own, others));
            let credentials = (ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            let echoed = admitted.and_then(echo).map(|origin| [origin, credentials]);
            echoed.into_iter().flatten().chain([vary]).collect()
        }
    }
}

/// Whether pages of an origin may use the cookie: the server's own, and those that are named. Never `null` or `*`.
pub(crate) fn admits_cookie(origin: &str, own: Option<&str>, others: &[String]) -> bool {
    let mut named = own.into_iter().chain(others.iter().map(String::as_str));
    named.any(|named| same_origin(named, origin))
}

/// Puts headers into an answer, beside a `Vary` that is already there.
pub(crate) fn write(headers: &mut HeaderMap, answer: Vec<(HeaderName, HeaderValue)>) {
    for (name, value) in answer {
        if name == VARY {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
}

/// That credentials may come along, to a page that has an origin.
fn unless_null(origin: Option<&str>) -> Option<(HeaderName, HeaderValue)> {
    let credentials = (ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    origin.filter(|origin| *origin != "null").map(|_| credentials)
}

fn echo(origin: &str) -> Option<(HeaderName, HeaderValue)> {
    HeaderValue::from_str(origin).ok().map(|value| (ACCESS_CONTROL_ALLOW_ORIGIN, value))
}

#[cfg(test)]
mod tests {
    use super::super::grant::GrantSource;
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::{Raw, json};

    fn shown(origin: Option<&str>, how: How<'_>) -> (Option<String>, bool, bool) {
        let mut headers = HeaderMap::new();
        write(&mut headers, answer(origin, how));
        let origin = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN);
        (
            origin.map(|value| value.to_str().unwrap().to_owned()),
            headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS),
            headers.contains_key(VARY),
        )
    }

    #[test]
    fn scripts_with_keys_of_their_own_are_public() {
        assert_eq!(shown(None, How::Public), (Some("*".to_owned()), false, false));
        assert_eq!(shown(Some("null"), How::Public), (Some("*".to_owned()), false, false));
        let how = How::PublicWithCookies;
        assert_eq!(shown(Some("https://a.b"), how), (Some("https://a.b".to_owned()), true, true));
        assert_eq!(shown(Some("null"), how), (Some("null".to_owned()), false, true));
    }

    #[test]
    fn web_keys_echo_what_they_admit() {
        let grant = r#"{"origins":["https://shop.example"]}"#;
        let bytes = json::parse_value(grant.as_bytes(), &Limits::default()).unwrap();
        let source = GrantSource::parse(Raw::trusted(&bytes), &Limits::default()).unwrap();
        let how = How::Web(&source.surface);
        let good = "https://shop.example";
        assert_eq!(shown(Some(good), how), (Some(good.to_owned()), false, true));
        for bad in ["https://evil.test", "null", "https://shop.example.evil.test", "*"] {
            assert_eq!(shown(Some(bad), how), (None, false, true), "{bad}");
        }
        assert_eq!(shown(None, how), (None, false, true));
        let how = How::WebWithCookies(&source.surface);
        assert_eq!(shown(Some(good), how), (Some(good.to_owned()), true, true));
        assert_eq!(shown(Some("https://evil.test"), how), (None, false, true));
        let any = json::parse_value(br#"{"origins":["*"]}"#, &Limits::default()).unwrap();
        let any = GrantSource::parse(Raw::trusted(&any), &Limits::default()).unwrap();
        assert!(!shown(Some("null"), How::WebWithCookies(&any.surface)).1);
    }

    #[test]
    fn cookies_are_for_named_origins_alone() {
        let others =
            ["https://app.example", "null", "*", "https://*.example"].map(str::to_owned).to_vec();
        let how = How::Cookie { own: Some("https://api.example:8443"), others: &others };
        for good in ["https://app.example", "https://api.example:8443", "https://app.example:443"] {
            assert_eq!(shown(Some(good), how), (Some(good.to_owned()), true, true), "{good}");
        }
        for bad in [
            "null",
            "*",
            "https://api.example",
            "http://app.example",
            "https://evil.test",
            "https://x.example",
            "https://*.example",
            "https://app.example.evil.test",
            "https://app.example@evil.test",
        ] {
            assert_eq!(shown(Some(bad), how), (None, false, true), "{bad}");
        }
        assert_eq!(shown(None, how), (None, false, true));
    }
}
