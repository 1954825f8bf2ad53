//! Options, dialect, prefixes, limits.

use super::*;

fn pattern(pattern: &str, options: &str) -> Pattern {
    Pattern::new(pattern, options, &Limits::default()).unwrap()
}

fn hits(source: &str, options: &str, text: &str) -> bool {
    pattern(source, options).is_match(text).unwrap()
}

#[test]
fn options_mean_what_they_say() {
    assert!(hits("HELLO", "i", "hello"));
    assert!(hits("^b", "m", "a\nb"));
    assert!(hits("a.b", "s", "a\nb"));
    assert!(!hits("a.b", "", "a\nb"));
    assert!(hits("a b # c [", "x", "ab"));
    assert!(hits("[a b]c", "x", " c"));
    assert!(hits("ü", "u", "für"));
    let error = Pattern::new("a", "g", &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "invalid_operand");
}

#[test]
fn the_dialect_is_that_of_pcre() {
    assert!(hits(r"^\d+$", "", "123"));
    assert!(!hits(r"^\d+$", "", "١٢"));
    assert!(hits(r"^[\w.]+$", "", "a.b_1"));
    assert!(hits(r"[^\S]", "", "a b"));
    assert!(hits(r"[[:alpha:]-]", "", "-"));
    assert!(hits(r"[a[]", "", "["));
    assert!(hits(r"[]a]", "", "]"));
    assert!(!hits(r"^[a&&b]$", "", "c"));
    assert!(hits(r"^[a&&b]$", "", "&"));
    assert!(hits(r"\Qa.b(\E+", "", "a.b(("));
    assert!(hits("a{b}", "", "a{b}"));
    assert!(hits("^a{2,}$", "", "aaa"));
    assert!(hits(r"(a)\1", "", "aa"));
    assert!(hits("(?<!H)ello", "", "hello"));
    assert!(!hits("(?<!H)ello", "", "Hello"));
    assert!(hits("a(?=b)", "i", "AB"));
    assert!(hits(r"^\p{Lu}\x{e4}$", "", "Üä"));
    assert!(hits(r"^[\p{Lu}]{2}$", "", "ÜÄ"));
    assert!(!hits("^a++a", "", "aaa"));
    assert!(hits("^a?+b", "", "ab"));
    assert!(hits("[+--]", "", ","));
}

#[test]
fn malformed_patterns_are_refused() {
    for source in ["(", "[z-a]", "(?<=a", "\\", "[", "*", "(?P<"] {
        assert!(Pattern::new(source, "", &Limits::default()).is_err(), "{source}");
    }
}

#[test]
fn a_pattern_over_the_limit_names_it() {
    for source in ["(\\p{L}{50}){50}", "(?=a)(\\p{L}{50}){50}", &"a".repeat(200_000)] {
        let error = Pattern::new(source, "", &Limits::default()).unwrap_err();
        assert_eq!(error.detail("limit"), Some(&"limits.query_regex_bytes".into()), "{error}");
    }
}

#[test]
fn a_catastrophic_pattern_ends() {
    let text = "a".repeat(60);
    assert!(!hits("^(a+)+b$", "", &text));
    let error = pattern("^(?=(a+)+b)(a+)+\\1c$", "").is_match(&text);
    let slow = pattern("^(a|a|aa)+(?!a)(a+)+\\2b$", "").is_match(&text);
    assert!(matches!(error, Ok(false) | Err(_)));
    assert_eq!(slow.unwrap_err().code(), "regex_too_slow");
}

#[test]
fn captures_are_byte_ranges() {
    let found = pattern("(b)(x)?", "").captures("äab", 0).unwrap().unwrap();
    assert_eq!(found, [Some((3, 4)), Some((3, 4)), None]);
    let found = pattern("(?<=ä)(a)", "").captures("äab", 0).unwrap().unwrap();
    assert_eq!(found, [Some((2, 3)), Some((2, 3))]);
    assert_eq!(pattern("a", "").captures("äab", 1).unwrap(), None);
    assert_eq!(pattern("a", "").captures("a", 9).unwrap(), None);
}

#[test]
fn prefixes() {
    let prefix = |source, options| pattern(source, options).prefix();
    assert_eq!(prefix("^abc", ""), Some("abc".into()));
    assert_eq!(prefix("^abc.*x", ""), Some("abc".into()));
    assert_eq!(prefix("^abc?", ""), Some("ab".into()));
    assert_eq!(prefix("^ab{0,2}", ""), Some("a".into()));
    assert_eq!(prefix("^ab+c", ""), Some("ab".into()));
    assert_eq!(prefix(r"^a\.b\d", ""), Some("a.b".into()));
    assert_eq!(prefix("^ab(c|d)", ""), Some("ab".into()));
    assert_eq!(prefix("\\Aäb$", ""), Some("äb".into()));
    for (source, options) in
        [("^ab|c", ""), ("abc", ""), ("^abc", "i"), ("^abc", "m"), ("^(?i)abc", ""), ("^a*", "")]
    {
        assert_eq!(prefix(source, options), None, "{source}");
    }
}

#[test]
fn a_long_text_is_not_looked_at_step_by_step() {
    let pattern = Pattern::new("(?=(a+))a*b", "", &Limits::default()).unwrap();
    let error = pattern.is_match(&"a".repeat(1_000_000)).unwrap_err();
    assert_eq!(error.code(), "regex_too_slow");
    assert!(pattern.is_match("aab").unwrap());
}
