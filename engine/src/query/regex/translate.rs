//! From the dialect of PCRE to the one that the engines read; and the literal beginning of a pattern.
//!
//! Guarantees: a pattern of any form gives some pattern; what is malformed stays malformed. [`prefix`] claims a prefix only
//! where every match has it.
//! Leaves to others: judging the pattern.

/// Rewrites what the two dialects read differently: ASCII classes, `\Q...\E`, literal braces, and brackets and doubled
/// signs inside of classes. Whether there is a possessive repetition (`a++`), which the linear engine reads otherwise.
pub(super) fn translate(pattern: &str, extended: bool) -> (String, bool) {
    let mut out = String::with_capacity(pattern.len() + 16);
    let chars: Vec<char> = pattern.chars().collect();
    let (mut at, mut possessive) = (0, false);
    while let Some(&char) = chars.get(at) {
        at += 1;
        match char {
            '*' | '+' | '?' | '}' if chars.get(at) == Some(&'+') => {
                possessive = true;
                out.extend([char, '+']);
                at += 1;
            }
            '\\' => at = escape(&chars, at, &mut out),
            '[' => at = class(&chars, at, extended, &mut out),
            '{' if !is_repetition(&chars[at..]) => out.push_str("\\{"),
            '#' if extended => {
                while chars.get(at).is_some_and(|char| *char != '\n') {
                    at += 1;
                }
            }
            _ => out.push(char),
        }
    }
    (out, possessive)
}

/// An escape outside of a class, whose backslash was read.
fn escape(chars: &[char], mut at: usize, out: &mut String) -> usize {
    let Some(&char) = chars.get(at) else {
        out.push('\\');
        return at;
    };
    at += 1;
    match char {
        'Q' => {
            while let Some(&char) = chars.get(at) {
                if char == '\\' && chars.get(at + 1) == Some(&'E') {
                    return at + 2;
                }
                literal(char, out);
                at += 1;
            }
        }
        'E' => {}
        '<' | '>' => out.push(char),
        'N' => out.push_str("[^\\n]"),
        'R' => out.push_str("(?:\\r\\n|[\\n\\x0B\\x0C\\r])"),
        _ => match ascii(char) {
            Some((negated, members)) => {
                out.push_str(if negated { "[^" } else { "[" });
                out.push_str(members);
                out.push(']');
            }
            None => {
                out.extend(['\\', char]);
                // A property or a code point in braces.
                if char.is_ascii_alphabetic() && chars.get(at) == Some(&'{') {
                    let len = chars[at..].iter().take_while(|char| **char != '}').count();
                    out.extend(&chars[at..at + len]);
                    at += len;
                }
            }
        },
    }
    at
}

/// A class, whose bracket was read.
fn class(chars: &[char], mut at: usize, extended: bool, out: &mut String) -> usize {
    out.push('[');
    if chars.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    let first = at;
    while let Some(&char) = chars.get(at) {
        at += 1;
        match char {
            ']' if at - 1 > first => {
                out.push(']');
                return at;
            }
            '[' if chars.get(at) == Some(&':') => match posix(&chars[at..]) {
                Some(len) => {
                    out.push('[');
                    out.extend(&chars[at..at + len]);
                    at += len;
                }
                None => out.push_str("\\["),
            },
            '\\' => match chars.get(at) {
                Some('Q' | 'E') => at += 1,
                Some(&char) => {
                    at += 1;
                    match ascii(char) {
                        Some((true, members)) => {
                            out.push_str("[^");
                            out.push_str(members);
                            out.push(']');
                        }
                        Some((false, members)) => out.push_str(members),
                        // Inside of a class it is the backspace.
                        None if char == 'b' => out.push_str("\\x08"),
                        None if matches!(char, '<' | '>') => out.push(char),
                        None => out.extend(['\\', char]),
                    }
                }
                None => out.push('\\'),
            },
            '[' | ']' | '&' | '~' => out.extend(['\\', char]),
            // Two of them are a difference of classes for the engines.
            '-' if at - 1 == first && chars.get(at) == Some(&'-') => out.push_str("\\-"),
            '-' if at >= first + 3 && chars[at - 2] == '-' => out.push_str("\\-"),
            '#' if extended => out.push_str("\\#"),
            char if extended && char.is_whitespace() => {
                out.push_str(&format!("\\x{{{:x}}}", char as u32));
            }
            _ => out.push(char),
        }
    }
    at
}

/// The members of a class that is one letter, and whether the letter means all others.
fn ascii(char: char) -> Option<(bool, &'static str)> {
    Some(match char {
        'd' => (false, "0-9"),
        'D' => (true, "0-9"),
        'w' => (false, "A-Za-z0-9_"),
        'W' => (true, "A-Za-z0-9_"),
        's' => (false, "\\t-\\r\\x20"),
        'S' => (true, "\\t-\\r\\x20"),
        'h' => (false, "\\t\\x20"),
        'H' => (true, "\\t\\x20"),
        'v' => (false, "\\n-\\r"),
        'V' => (true, "\\n-\\r"),
        _ => return None,
    })
}

/// The length of `:name:]`, if that is what comes.
fn posix(chars: &[char]) -> Option<usize> {
    let end = chars.iter().skip(1).position(|char| !char.is_ascii_lowercase() && *char != '^')? + 1;
    (chars.get(end) == Some(&':') && chars.get(end + 1) == Some(&']')).then_some(end + 2)
}

/// Whether what follows a brace makes it a repetition: `3}`, `3,}` or `3,5}`.
fn is_repetition(chars: &[char]) -> bool {
    let digits = chars.iter().take_while(|char| char.is_ascii_digit()).count();
    if digits == 0 {
        return false;
    }
    match chars.get(digits) {
        Some('}') => true,
        Some(',') => {
            let rest = &chars[digits + 1..];
            let more = rest.iter().take_while(|char| char.is_ascii_digit()).count();
            rest.get(more) == Some(&'}')
        }
        _ => false,
    }
}

fn literal(char: char, out: &mut String) {
    if char.is_ascii() && !char.is_ascii_alphanumeric() {
        out.push_str(&format!("\\x{{{:x}}}", char as u32));
    } else {
        out.push(char);
    }
}

/// The literal text after a `^` at the beginning, if there is some.
pub(super) fn prefix(pattern: &str) -> Option<String> {
    let rest = pattern.strip_prefix('^').or_else(|| pattern.strip_prefix("\\A"))?;
    if has_alternatives(rest) {
        return None;
    }
    let mut out = String::new();
    let mut chars = rest.chars().peekable();
    while let Some(char) = chars.next() {
        let literal = match char {
            '\\' => match chars.next() {
                Some(char) if char.is_ascii_punctuation() => char,
                _ => break,
            },
            '.' | '[' | '(' | ')' | '$' | '^' | '|' | '*' | '+' | '?' | '{' => break,
            _ => char,
        };
        match chars.peek() {
            // It may be absent.
            Some('*' | '?' | '{') => break,
            Some('+') => {
                out.push(literal);
                break;
            }
            _ => out.push(literal),
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Whether a `|` stands outside of groups and classes; when in doubt it does.
fn has_alternatives(pattern: &str) -> bool {
    let mut depth = 0_i32;
    let mut class = false;
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            // Reads the escaped character; in a quotation what looks like a group is none.
            '\\' if chars.next() == Some('Q') => return true,
            '[' if !class => class = true,
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class => depth -= 1,
            '|' if !class && depth <= 0 => return true,
            _ => {}
        }
    }
    // A class that a `]` did not close where this thought it did.
    pattern.contains('|') && (pattern.contains("[]") || pattern.contains("[^]"))
}
