//! Lower case and letters without diacritics.
//!
//! Guarantees: folding a folded text changes nothing. Latin, Greek and Cyrillic letters are known, composed or with
//! combining marks; other scripts keep their marks.
//! Leaves to others: splitting texts into words.

/// Letters with diacritics under the letter without.
const LETTERS: &[(char, &str)] = &[
    ('a', "àáâãäåāăąǎǟǡǻȁȃȧḁạảấầẩẫậắằẳẵặ"),
    ('b', "ḃḅḇ"),
    ('c', "çćĉċčḉ"),
    ('d', "ďḋḍḏḑḓđ"),
    ('e', "èéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệ"),
    ('f', "ḟ"),
    ('g', "ĝğġģǧǵḡ"),
    ('h', "ĥȟḣḥḧḩḫẖħ"),
    ('i', "ìíîïĩīĭįǐȉȋḭḯỉịı"),
    ('j', "ĵǰ"),
    ('k', "ķǩḱḳḵ"),
    ('l', "ĺļľḷḹḻḽł"),
    ('m', "ḿṁṃ"),
    ('n', "ñńņňǹṅṇṉṋ"),
    ('o', "òóôõöōŏőơǒǫǭȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợø"),
    ('p', "ṕṗ"),
    ('r', "ŕŗřȑȓṙṛṝṟ"),
    ('s', "śŝşšșṡṣṥṧṩ"),
    ('t', "ţťțṫṭṯṱẗŧ"),
    ('u', "ùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữự"),
    ('v', "ṽṿ"),
    ('w', "ŵẁẃẅẇẉẘ"),
    ('x', "ẋẍ"),
    ('y', "ýÿŷȳẏẙỳỵỷỹ"),
    ('z', "źżžẑẓẕ"),
    ('æ', "ǣǽ"),
    ('ø', "ǿ"),
    ('ſ', "ẛ"),
    ('ʒ', "ǯ"),
    ('α', "ά"),
    ('ε', "έ"),
    ('η', "ή"),
    ('ι', "ΐίϊ"),
    ('ο', "ό"),
    ('υ', "ΰϋύ"),
    ('ω', "ώ"),
    ('г', "ѓ"),
    ('е', "ѐё"),
    ('и', "йѝ"),
    ('к', "ќ"),
    ('у', "ў"),
    ('і', "ї"),
];

/// Whether a character belongs to a word: letters, digits, and marks over them.
pub(super) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || is_mark(char)
}

/// A combining mark.
fn is_mark(char: char) -> bool {
    matches!(char, '\u{300}'..='\u{36f}')
}

/// A word in lower case and without diacritics.
pub(super) fn fold(word: &str) -> String {
    plain(&lower(word))
}

/// A word in lower case.
pub(super) fn lower(word: &str) -> String {
    if word.is_ascii() {
        word.to_ascii_lowercase()
    } else {
        word.to_lowercase().replace('ς', "σ")
    }
}

/// A word without diacritics; of the lower case of letters only.
pub(super) fn plain(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut out = String::with_capacity(word.len());
    for char in word.chars() {
        match char {
            _ if char.is_ascii() => out.push(char),
            'ß' => out.push_str("ss"),
            _ if is_mark(char) => {}
            _ => match base(char) {
                Some(base) => out.push(base),
                None => out.push(upper_base(char)),
            },
        }
    }
    out
}

fn base(char: char) -> Option<char> {
    LETTERS.iter().find(|(_, letters)| letters.contains(char)).map(|(base, _)| *base)
}

/// As [`base`], for a capital letter.
fn upper_base(char: char) -> char {
    let mut lower = char.to_lowercase();
    let (Some(small), None) = (lower.next(), lower.next()) else { return char };
    let Some(base) = base(small).filter(|_| small != char) else { return char };
    let mut upper = base.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => char,
    }
}
