//! Percent-encoding of parts of paths.

/// Appends a segment of a path: everything but letters, digits and `-_.~` is encoded.
pub(crate) fn push_segment(segment: &str, out: &mut String) {
    for byte in segment.bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_mean_something_is_encoded() {
        let mut out = String::from("/");
        push_segment("a-_.~9 /é%", &mut out);
        assert_eq!(out, "/a-_.~9%20%2F%C3%A9%25");
    }
}
