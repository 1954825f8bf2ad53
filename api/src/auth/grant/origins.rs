//! Patterns of origins.
//!
//! `https://shop.example`, with `:port` or `:*`; the host may begin with `*.`, which stands for one or more labels. Without
//! a scheme it is http and https, and without a port any port then. `*` is every origin; `null` only itself.
//! Guarantees: what is not plainly an origin is matched by nothing: nothing but scheme, host and port is in one.

use reqwest::Url;

/// A pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Origin {
    /// `*`.
    Any,
    /// `null`: pages without an origin of their own.
    Null,
    /// Pages of some places.
    Place {
        /// `None`: http and https.
        scheme: Option<String>,
        host: Host,
        port: Port,
    },
}

/// A pattern of hosts, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// `*`.
    Any,
    /// One host.
    Exact(String),
    /// What is beneath a domain; begins with a dot.
    Beneath(String),
}

/// A pattern of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// The one that belongs to the scheme.
    Default,
    /// Any.
    Any,
    /// One.
    Exact(u16),
}

/// An origin as it was sent, in lower case.
struct Sent {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// Reads a pattern.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "*" => return Some(Self::Any),
            "null" => return Some(Self::Null),
            _ => {}
        }
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, authority)) => (Some(parse_scheme(scheme)?), authority),
            None => (None, text),
        };
        let (host, port) = split_port(authority)?;
        let host = Host::parse(host).filter(|host| *host != Host::Any)?;
        let port = match port {
            None if scheme.is_none() => Port::Any,
            port => Port::parse(port)?,
        };
        Some(Self::Place { scheme, host, port })
    }

    /// Whether one of some patterns matches an origin as it was sent.
    pub(super) fn any_matches(patterns: &[Self], origin: &str) -> bool {
        if origin == "null" {
            return patterns.iter().any(|pattern| matches!(pattern, Self::Null));
        }
        Sent::parse(origin)
            .is_some_and(|sent| patterns.iter().any(|pattern| pattern.matches(&sent)))
    }

    /// Whether a text is an origin, and not `null`.
    pub(super) fn is_one(origin: &str) -> bool {
        Sent::parse(origin).is_some()
    }

    fn matches(&self, sent: &Sent) -> bool {
        match self {
            Self::Any => true,
            Self::Null => false,
            Self::Place { scheme, host, port } => {
                let scheme_fits = match scheme {
                    Some(scheme) => *scheme == sent.scheme,
                    None => matches!(sent.scheme.as_str(), "http" | "https"),
                };
                scheme_fits && host.matches(&sent.host) && port.matches(sent.port, &sent.scheme)
            }
        }
    }
}

/// Whether two texts are the same origin; patterns and `null` are none.
pub(crate) fn same_origin(one: &str, other: &str) -> bool {
    let parts = |text: &str| {
        let sent = Sent::parse(text)?;
        let port = sent.port.or_else(|| default_port(&sent.scheme));
        Some((sent.scheme, sent.host, port))
    };
    parts(one).is_some_and(|one| Some(one) == parts(other))
}

impl Host {
    /// Reads a pattern; a name in other letters becomes the one that browsers send.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        match text.strip_prefix("*.") {
            Some(domain) => Some(Self::Beneath(format!(".{}", parse_host(domain)?))),
            None => parse_host(text).map(Self::Exact),
        }
    }

    /// Whether it matches a host in lower case.
    pub(super) fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == host,
            Self::Beneath(domain) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|labels| !labels.is_empty() && !labels.starts_with('.')),
        }
    }
}

impl Port {
    /// Reads what follows the colon.
    pub(super) fn parse(port: Option<&str>) -> Option<Self> {
        match port {
            None => Some(Self::Default),
            Some("*") => Some(Self::Any),
            Some(number) => parse_port(number).map(Self::Exact),
        }
    }

    /// Whether it matches a port; `None` is the one of the scheme.
    pub(super) fn matches(self, port: Option<u16>, scheme: &str) -> bool {
        let default = default_port(scheme);
        match self {
            Self::Any => true,
            Self::Default => port.is_none() || port == default,
            Self::Exact(exact) => port.or(default) == Some(exact),
        }
    }
}

impl Sent {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = parse_scheme(scheme)?;
        let (host, port) = split_port(authority)?;
        let port = port.map(|port| parse_port(port).ok_or(())).transpose().ok()?;
        Some(Self { scheme, host: plain_host(host)?, port })
    }
}

/// Host and port of an authority, which has no more than them.
pub(super) fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority[end..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(end + colon);
            (host, Some(&port[1..]))
        }
        None => (authority, None),
    };
    (!host.is_empty()).then_some((host, port))
}

fn parse_scheme(scheme: &str) -> Option<String> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let starts = scheme.bytes().next()?.is_ascii_alphabetic();
    (starts && scheme.bytes().all(sound)).then(|| scheme.to_ascii_lowercase())
}

fn parse_port(port: &str) -> Option<u16> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| port.parse().ok()).flatten()
}

/// The host of a pattern, as browsers send it.
fn parse_host(host: &str) -> Option<String> {
    if host.is_ascii() {
        return plain_host(host);
    }
    let url = Url::parse(&format!("http://{host}/")).ok()?;
    url.host_str().and_then(plain_host)
}

/// A host in lower case: labels of letters, digits, `-` and `_`, or an IPv6 address in brackets.
fn plain_host(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[') {
        let address: std::net::Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(sound);
    host.split('.').all(is_label).then(|| host.to_ascii_lowercase())
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_match_by_scheme_host_and_port() {
        let rows = [
            ("https://shop.example", "https://shop.example", true),
            ("https://shop.example", "HTTPS://Shop.Example", true),
            ("HTTPS://SHOP.example", "https://shop.example", true),
            ("https://shop.example", "https://shop.example:443", true),
            ("https://shop.example:443", "https://shop.example", true),
            ("https://shop.example", "https://shop.example:8443", false),
            ("https://shop.example:8443", "https://shop.example:8443", true),
            ("https://shop.example:8443", "https://shop.example", false),
            ("https://shop.example:*", "https://shop.example:1", true),
            ("https://shop.example", "http://shop.example", false),
            ("http://localhost:3000", "http://localhost:3000", true),
            ("shop.example", "http://shop.example:8080", true),
            ("shop.example", "https://shop.example", true),
            ("shop.example", "ftp://shop.example", false),
            ("shop.example:8080", "http://shop.example", false),
            ("shop.example:443", "https://shop.example", true),
            ("https://*.shop.example", "https://a.shop.example", true),
            ("https://*.shop.example", "https://a.b.shop.example", true),
            ("https://*.shop.example", "https://shop.example", false),
            ("https://*.shop.example", "https://evilshop.example", false),
            ("https://*.shop.example", "https://.shop.example", false),
            ("https://*.shop.example", "https://a.shop.example.evil.test", false),
            ("https://shop.example", "https://shop.example.evil.test", false),
            ("https://shop.example", "https://shop.example.", false),
            ("https://shop.example", "https://shop.example/", false),
            ("https://shop.example", "https://shop.example@evil.test", false),
            ("https://shop.example", "https://evil.test#https://shop.example", false),
            ("https://shop.example", "https://evil.test\\@shop.example", false),
            ("https://shop.example", "https://shop.example:443:1", false),
            ("https://shop.example", "https://shop.example:", false),
            ("https://shop.example", "https://shop.example:+443", false),
            ("https://shop.example", " https://shop.example", false),
            ("https://shop.example", "https://shop.example https://evil.test", false),
            ("https://shop.example", "https://shop%2eexample", false),
            ("https://shop.example", "shop.example", false),
            ("https://shop.example", "null", false),
            ("https://shop.example", "", false),
            ("https://[::1]:3000", "https://[::1]:3000", true),
            ("https://[0:0::1]", "https://[::1]", true),
            ("https://bücher.example", "https://xn--bcher-kva.example", true),
            ("capacitor://localhost", "capacitor://localhost", true),
            ("*", "https://anything.example:1", true),
            ("*", "null", false),
            ("*", "*", false),
            ("null", "null", true),
            ("null", "https://shop.example", false),
        ];
        for (pattern, origin, wanted) in rows {
            let patterns = [Origin::parse(pattern).unwrap()];
            assert_eq!(Origin::any_matches(&patterns, origin), wanted, "{pattern} {origin}");
        }
    }

    #[test]
    fn malformed_patterns_are_none() {
        for bad in [
            "",
            "https://",
            "https://*",
            "*:443",
            "https://shop.example/",
            "https://shop.example/path",
            "https://a.*.example",
            "https://shop*.example",
            "https://user@shop.example",
            "https://shop.example:x",
            "https://shop.example:65536",
            "https://shop..example",
            "ht tp://shop.example",
            "https://shop.example?x",
            "https://[::1",
        ] {
            assert!(Origin::parse(bad).is_none(), "{bad}");
        }
    }
}
