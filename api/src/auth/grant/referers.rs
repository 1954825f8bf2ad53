//! Patterns of referers.
//!
//! With `://` a pattern is of an address: scheme (`*`: http or https), host and port as in origins, and a path with `*` for
//! any run; without a path, any. Without `://` it is a glob over the whole text, which promises no more than it says:
//! `*shop.example*` is found in any address that somebody makes up.
//! Guarantees: an address is matched only as browsers send one: http or https, nothing before the host, no backslashes, no
//! percent signs in the host, no blanks. `*` alone matches a referer that is missing, nothing else does.

use reqwest::Url;

use super::glob;
use super::origins::{Host, Port, split_port};

/// A pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Referer {
    /// `*`.
    Any,
    /// A glob over the whole text.
    Text(String),
    /// An address.
    Address {
        /// `None`: http and https.
        scheme: Option<String>,
        host: Host,
        port: Port,
        /// `None`: any.
        path: Option<String>,
    },
}

impl Referer {
    /// Reads a pattern.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        if text.is_empty() {
            return None;
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Some(Self::Text(text.to_owned()));
        };
        let scheme = match scheme.to_ascii_lowercase() {
            any if any == "*" => None,
            known if matches!(known.as_str(), "http" | "https") => Some(known),
            _ => return None,
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => (&rest[..slash], Some(rest[slash..].to_owned())),
            None => (rest, None),
        };
        let (host, port) = split_port(authority)?;
        Some(Self::Address { scheme, host: Host::parse(host)?, port: Port::parse(port)?, path })
    }

    /// Whether it matches a referer as it was sent.
    pub(super) fn matches(&self, referer: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Text(pattern) => referer.is_some_and(|text| glob::matches(pattern, text)),
            Self::Address { scheme, host, port, path } => {
                let Some(sent) = referer.and_then(parse) else { return false };
                let scheme_fits = scheme.as_deref().is_none_or(|scheme| scheme == sent.scheme());
                let host_fits = sent.host_str().is_some_and(|sent| host.matches(sent));
                let path_fits = path.as_ref().is_none_or(|pattern| {
                    let whole = match sent.query() {
                        Some(query) => &format!("{}?{query}", sent.path()),
                        None => sent.path(),
                    };
                    glob::matches(pattern, sent.path()) || glob::matches(pattern, whole)
                });
                scheme_fits && host_fits && port.matches(sent.port(), sent.scheme()) && path_fits
            }
        }
    }
}

/// An address as browsers send it. What the parser would pass over or mend is refused.
fn parse(text: &str) -> Option<Url> {
    if text.contains(|character: char| {
        character == '\\' || character.is_whitespace() || character.is_control()
    }) {
        return None;
    }
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    // Something before the host, or a host that is only one after decoding.
    if authority.is_empty() || authority.contains(['@', '%']) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn referers_match_as_addresses_or_as_texts() {
        let rows = [
            ("https://shop.example/*", "https://shop.example/", true),
            ("https://shop.example/*", "https://shop.example/a/b?c=d", true),
            ("https://shop.example/*", "https://shop.example", true),
            ("https://shop.example", "https://shop.example/a", true),
            ("https://shop.example/*", "https://SHOP.example/", true),
            ("https://shop.example/*", "https://shop.example:443/", true),
            ("https://shop.example/cart", "https://shop.example/cart", true),
            ("https://shop.example/cart", "https://shop.example/cart?id=1", true),
            ("https://shop.example/cart", "https://shop.example/cart/x", false),
            ("https://shop.example/cart*", "https://shop.example/x/../cart/1", true),
            ("https://shop.example/a/*", "https://shop.example/a/../b", false),
            ("https://shop.example:*/*", "https://shop.example:8443/x", true),
            ("https://*.shop.example/*", "https://a.b.shop.example/x", true),
            ("*://shop.example/*", "http://shop.example/x", true),
            ("https://*/pay*", "https://any.example/payment", true),
            ("https://shop.example/*", "http://shop.example/", false),
            ("https://shop.example/*", "https://shop.example:8443/", false),
            ("https://shop.example/*", "https://shop.example.evil.test/", false),
            ("https://shop.example/*", "https://shop.example@evil.test/", false),
            ("https://shop.example/*", "https://shop.example:x@evil.test/", false),
            ("https://shop.example/*", "https://evil.test@shop.example/", false),
            ("https://shop.example/*", "https://evil.test/https://shop.example/", false),
            ("https://shop.example/*", "https://evil.test/?https://shop.example/", false),
            ("https://shop.example/*", "https://evil.test#https://shop.example/", false),
            ("https://shop.example/*", "https://evil.test\\@shop.example/", false),
            ("https://shop.example/*", "https://evil.test\\.shop.example/", false),
            ("https://shop.example/*", "https:\\\\shop.example\\", false),
            ("https://shop.example/*", "https:///shop.example/", false),
            ("https://shop.example/*", "https:shop.example/", false),
            ("https://shop.example/*", "https://shop.example./", false),
            ("https://shop.example/*", "https://shop%2eexample/", false),
            ("https://shop.example/*", "https://shop\t.example/", false),
            ("https://shop.example/*", " https://shop.example/", false),
            ("https://shop.example/*", "https://evilshop.example/", false),
            ("https://*.shop.example/*", "https://evilshop.example/", false),
            ("https://shop.example/*", "javascript://shop.example/", false),
            ("https://shop.example/*", "//shop.example/", false),
            ("https://shop.example/*", "", false),
            // Without `://`: exact, at the start, at the end, anywhere.
            ("shop.example", "shop.example", true),
            ("shop.example", "https://shop.example/", false),
            ("*.example/", "https://shop.example/", true),
            ("*.example/", "https://shop.example/x", false),
            ("*shop.example*", "https://shop.example/x", true),
            ("http*", "https://anything", true),
            ("shop?example", "shop.example", false),
        ];
        for (pattern, referer, wanted) in rows {
            let parsed = Referer::parse(pattern).unwrap();
            assert_eq!(parsed.matches(Some(referer)), wanted, "{pattern} {referer}");
            assert!(!parsed.matches(None), "{pattern}");
        }
        assert!(Referer::Any.matches(None) && Referer::Any.matches(Some("x")));
    }

    #[test]
    fn malformed_patterns_are_none() {
        for bad in
            ["", "ftp://x/", "https://", "https:///", "https://shop*.example/", "https://a@b/"]
        {
            assert!(Referer::parse(bad).is_none(), "{bad}");
        }
    }
}
