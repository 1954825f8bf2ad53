//! ObjectIds as text.
//!
//! Guarantees: [`parse`] takes exactly 24 hex digits of either case, [`format()`] writes lower case.
//! Leaves to others: making new ids (`clock::ObjectIds`).

/// The id that 24 hex digits mean.
pub fn parse(text: &str) -> Option<[u8; 12]> {
    parse_bytes(text.as_bytes())
}

/// As [`parse`], from bytes.
pub(super) fn parse_bytes(text: &[u8]) -> Option<[u8; 12]> {
    if text.len() != 24 {
        return None;
    }
    let mut id = [0; 12];
    for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high << 4 | low) as u8;
    }
    Some(id)
}

/// The id as 24 hex digits.
pub fn format(id: &[u8; 12]) -> String {
    id.iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}
