//! Globs: `*` stands for any run of what it is matched against, nothing else is special, and both ends are anchored.
//!
//! Guarantees: the time is bounded by the product of both lengths.

/// Whether a pattern matches a whole text; `*` is any run of characters, empty ones included.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    runs(pattern.as_bytes(), text.as_bytes(), |part| *part == b'*', |part, byte| part == byte)
}

/// Whether parts match a whole row of items; a part that `is_run` stands for any run of items.
///
/// A mismatch after a run only ever moves the last run: where the parts before it matched earliest, everything that a later
/// match of them leaves is left by this one, too.
pub(super) fn runs<P, T>(
    parts: &[P],
    items: &[T],
    is_run: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut part, mut item) = (0, 0);
    let mut last_run = None;
    while item < items.len() {
        match parts.get(part) {
            Some(run) if is_run(run) => {
                last_run = Some((part, item));
                part += 1;
            }
            Some(plain) if fits(plain, &items[item]) => {
                part += 1;
                item += 1;
            }
            _ => {
                let Some((run, from)) = last_run else { return false };
                last_run = Some((run, from + 1));
                (part, item) = (run + 1, from + 1);
            }
        }
    }
    parts[part..].iter().all(is_run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_runs_and_ends_are_anchored() {
        let rows = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything/at all", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("*a*", "bab", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a.c", "abc", false),
            ("a**b", "ab", true),
            ("*aab", "aaaab", true),
            ("ab*ab", "ab", false),
            ("ü*", "über", true),
        ];
        for (pattern, text, wanted) in rows {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
        let (pattern, text) = ("a*".repeat(100) + "b", "a".repeat(10_000));
        assert!(!matches(&pattern, &text));
    }
}
