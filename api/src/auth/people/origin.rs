//! Requests that a cookie authorises: whether it was a page of our own that sent them (promise S5).
//!
//! Guarantees: a page of another origin changes nothing with a visitor's cookie, and opens no WebSocket with it, unless the
//! configuration names it (`auth.cookie_origins`).
//!
//! Browsers send `Origin` with everything but plain navigation and GETs to the own origin, so its value decides where it is
//! there. Where it is not, `Sec-Fetch-Site` and then `Referer` do; a client that sends none of the three is no browser of
//! the last years, and `SameSite=Lax` holds even those back.

use http::header::{HOST, ORIGIN, REFERER, UPGRADE};
use http::request::Parts;
use http::{HeaderName, Method, StatusCode};

use crate::auth::options::AccessOptions;
use crate::error::ApiError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request with a cookie that a page of a foreign origin sent.
pub(crate) fn check_cookie_origin(parts: &Parts, options: &AccessOptions) -> Result<(), ApiError> {
    let harmless = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method);
    if harmless && !parts.headers.contains_key(UPGRADE) {
        return Ok(());
    }
    let refused =
        |why: &'static str| Err(ApiError::new(StatusCode::FORBIDDEN, "origin_forbidden", why));
    let mut origins = parts.headers.get_all(ORIGIN).iter();
    if let Some(origin) = origins.next() {
        let origin = origin.to_str().unwrap_or_default();
        if origins.next().is_none() && is_ours(origin, parts, options) {
            return Ok(());
        }
        return refused(
            "a page of this Origin may not use a session's cookie (auth.cookie_origins)",
        );
    }
    let site = parts.headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes());
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return refused("a page of another site may not use a session's cookie");
    }
    match parts.headers.get(REFERER) {
        Some(referer) if site.is_none() => {
            let referer = referer.to_str().unwrap_or_default();
            match origin_of(referer) {
                Some(origin) if is_ours(origin, parts, options) => Ok(()),
                _ => refused("a page of this Referer may not use a session's cookie"),
            }
        }
        _ => Ok(()),
    }
}

/// Whether an origin is the server's own, by its host, or one that is configured.
fn is_ours(origin: &str, parts: &Parts, options: &AccessOptions) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    if options.cookie_origins.iter().any(|known| known.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = parts.uri.authority().map(|authority| authority.as_str()).or(header);
    let Some(own) = own else { return false };
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    let bare = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    !host.is_empty() && bare(host) == bare(own)
}

/// The origin of a url.
fn origin_of(url: &str) -> Option<&str> {
    let start = url.find("://")? + 3;
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |end| start + end);
    Some(&url[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn check(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/v1/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let cookie_origins = vec!["https://shop.example".to_owned()];
        let options = AccessOptions { cookie_origins, ..AccessOptions::default() };
        check_cookie_origin(&parts, &options).is_ok()
    }

    const HOST: (&str, &str) = ("host", "api.example");

    #[test]
    fn origins_decide() {
        let cases = [
            ("https://api.example", true),
            ("http://api.example", true),
            ("https://API.example:443", true),
            ("https://shop.example", true),
            ("https://api.example:8443", false),
            ("https://evil.example", false),
            ("https://api.example.evil", false),
            ("https://shop.example.evil", false),
            ("http://shop.example", false),
            ("null", false),
            ("", false),
            ("api.example", false),
            ("ftp://api.example", false),
        ];
        for (origin, right) in cases {
            assert_eq!(check("POST", &[HOST, ("origin", origin)]), right, "{origin}");
            assert!(check("GET", &[HOST, ("origin", origin)]), "reading is not changing");
            let socket = [HOST, ("upgrade", "websocket"), ("origin", origin)];
            assert_eq!(check("GET", &socket), right, "{origin}");
        }
        let two = [HOST, ("origin", "https://api.example"), ("origin", "https://evil.example")];
        assert!(!check("POST", &two));
        assert!(!check("DELETE", &[("origin", "https://api.example")]), "without a Host");
    }

    #[test]
    fn without_an_origin_the_other_headers_do() {
        assert!(check("POST", &[HOST]));
        for (site, right) in
            [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)]
        {
            assert_eq!(check("PATCH", &[HOST, ("sec-fetch-site", site)]), right, "{site}");
        }
        for (referer, right) in [
            ("https://api.example/page?x=1", true),
            ("https://shop.example/", true),
            ("https://evil.example/?https://api.example/", false),
            ("nonsense", false),
        ] {
            assert_eq!(check("POST", &[HOST, ("referer", referer)]), right, "{referer}");
        }
    }
}
