//! Patterns of paths.
//!
//! A pattern is matched segment by segment against the path after one round of percent-decoding: `**` stands for any number
//! of segments, `*` for one that is not empty, and within a segment for any run of characters.
//! Guarantees: a path that could mean another one is matched by nothing: with dot segments, doubled slashes, encoded
//! slashes or backslashes, control characters, or bytes that are no UTF-8 or no percent-encoding. What is encoded twice
//! stays encoded once.

use super::glob;

/// A pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PathPattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`.
    Any,
    /// One segment.
    One(String),
}

impl PathPattern {
    /// Reads a pattern.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts = text.strip_prefix('/')?.split('/').map(|part| match part {
            "**" => Some(Part::Any),
            "." | ".." => None,
            _ if part.contains("**") || part.contains(is_unsound) => None,
            _ => Some(Part::One(part.to_owned())),
        });
        let parts: Vec<Part> = parts.collect::<Option<_>>()?;
        let (_, inner) = parts.split_last()?;
        let has_empty = inner.iter().any(|part| *part == Part::One(String::new()));
        (!has_empty).then_some(Self(parts))
    }

    /// Whether one of some patterns matches a path as it was sent, or what follows a prefix of it.
    pub(super) fn any_matches(patterns: &[Self], path: &str, prefix: Option<&str>) -> bool {
        let Some(segments) = decode(path) else { return false };
        let after = prefix.and_then(|prefix| {
            let mut names = prefix.strip_prefix('/')?.split('/');
            let mut rest = segments.as_slice();
            names.try_for_each(|name| {
                let (first, left) = rest.split_first()?;
                rest = left;
                (first == name).then_some(())
            })?;
            Some(rest)
        });
        let matches = |segments: &[String]| patterns.iter().any(|pattern| pattern.fits(segments));
        matches(&segments) || after.is_some_and(matches)
    }

    fn fits(&self, segments: &[String]) -> bool {
        let fits = |part: &Part, segment: &String| match part {
            Part::Any => false,
            Part::One(pattern) if pattern == "*" => !segment.is_empty(),
            Part::One(pattern) => glob::matches(pattern, segment),
        };
        glob::runs(&self.0, segments, |part| *part == Part::Any, fits)
    }
}

/// The segments of a path, decoded once; none where it is not sound. A slash at the end leaves an empty last segment.
fn decode(path: &str) -> Option<Vec<String>> {
    let mut segments = Vec::new();
    let mut raw = path.strip_prefix('/')?.split('/').peekable();
    while let Some(segment) = raw.next() {
        let decoded = decode_segment(segment)?;
        let is_last = raw.peek().is_none();
        if matches!(decoded.as_str(), "." | "..") || decoded.is_empty() && !is_last {
            return None;
        }
        segments.push(decoded);
    }
    Some(segments)
}

fn decode_segment(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        rest = tail;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(is_unsound))
}

fn is_unsound(character: char) -> bool {
    matches!(character, '/' | '\\') || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str, prefix: Option<&str>) -> bool {
        PathPattern::any_matches(&[PathPattern::parse(pattern).unwrap()], path, prefix)
    }

    #[test]
    fn patterns_match_segment_by_segment() {
        let rows = [
            ("/v1/collections/orders/documents", "/v1/collections/orders/documents", true),
            ("/v1/collections/orders", "/v1/collections/orders/documents", false),
            ("/v1/collections/orders", "/v1/collections/orders/", false),
            ("/v1/*/orders", "/v1/collections/orders", true),
            ("/v1/*/orders", "/v1/a/b/orders", false),
            ("/v1/*", "/v1/", false),
            ("/v1/*", "/v1", false),
            ("/v1/**", "/v1", true),
            ("/v1/**", "/v1/", true),
            ("/v1/**", "/v1/a/b/c", true),
            ("/v1/**", "/v10/a", false),
            ("/**", "/", true),
            ("/**", "/anything/at/all", true),
            ("/**/documents", "/v1/collections/x/documents", true),
            ("/**/a/**/b", "/a/a/c/b", true),
            ("/**/a/**/b", "/b/a", false),
            ("/rest/cust*", "/rest/customers", true),
            ("/rest/cust*", "/rest/cust", true),
            ("/rest/cust*", "/rest/customers/1", false),
            ("/Rest/x", "/rest/x", false),
            ("/a/ü", "/a/%C3%BC", true),
            ("/a/b c", "/a/b%20c", true),
            // Traversal, in every dress.
            ("/rest/**", "/rest/../admin", false),
            ("/rest/**", "/rest/./x", false),
            ("/rest/**", "/rest/%2e%2e/admin", false),
            ("/rest/**", "/rest/%2E./admin", false),
            ("/rest/**", "/rest/..", false),
            ("/rest/**", "/rest//x", false),
            ("/rest/**", "//rest/x", false),
            ("/rest/**", "/rest/a%2fb", false),
            ("/rest/**", "/rest/a%2Fb", false),
            ("/rest/**", "/rest/..%5cadmin", false),
            ("/rest/**", "/rest/a\\b", false),
            ("/rest/**", "/rest/a%00", false),
            ("/rest/**", "/rest/%ff", false),
            ("/rest/**", "/rest/%c0%ae%c0%ae/x", false),
            ("/rest/**", "/rest/%zz", false),
            ("/rest/**", "/rest/%2", false),
            ("/rest/**", "rest/x", false),
            ("/rest/**", "", false),
            // Encoded twice is a name with a percent sign, not a dot.
            ("/rest/*", "/rest/%252e%252e", true),
            ("/rest/..x", "/rest/%252e%252ex", false),
        ];
        for (pattern, path, wanted) in rows {
            assert_eq!(matches(pattern, path, None), wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn a_face_is_matched_after_its_prefix_too() {
        let rest = Some("/rest");
        assert!(matches("/customers/**", "/rest/customers/1", rest));
        assert!(matches("/rest/customers/**", "/rest/customers/1", rest));
        assert!(!matches("/customers/**", "/rest/customers/1", None));
        assert!(!matches("/customers/**", "/restx/customers/1", rest));
        assert!(!matches("/customers/**", "/rest/../customers/1", rest));
        assert!(matches("/**", "/rest", rest));
    }

    #[test]
    fn malformed_patterns_are_none() {
        for bad in ["", "a", "*", "**", "//", "/a//b", "/a/../b", "/./a", "/a**", "/a\\b", "/a\0"] {
            assert!(PathPattern::parse(bad).is_none(), "{bad}");
        }
        for good in ["/", "/a/", "/**", "/*", "/a*b/c"] {
            assert!(PathPattern::parse(good).is_some(), "{good}");
        }
    }
}
