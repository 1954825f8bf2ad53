//! The documents that are written: about 250 bytes, eight members, made before the clock starts.
//!
//! Guarantees: every number in a document has a fixed width, so that a request is changed in place.

/// Added to every number and time, so that its width never changes.
const BASE: u64 = 100_000_000_000;
/// Groups that documents fall into.
pub(super) const GROUPS: u64 = 1000;
/// What precedes the time of sending.
pub(super) const SENT: &[u8] = b"\"sent_us\":1";
/// What precedes the number.
pub(super) const NUMBER: &[u8] = b"\"number\":1";
/// Digits that follow [`SENT`] and [`NUMBER`].
const DIGITS: usize = 11;

const TEMPLATE: &str = concat!(
    "{\"number\":100000000000,\"sent_us\":100000000000,\"group\":1000,\"customer\":\"customer of the bench\",",
    "\"status\":\"open\",\"total\":1234.56,\"active\":true,",
    "\"note\":\"a line of text as long as people write into such a field, so that it weighs 250 bytes\"}",
);

/// One request with documents in its body.
pub(super) struct WriteRequest {
    bytes: Vec<u8>,
    documents: Vec<usize>,
}

impl WriteRequest {
    /// A request that creates `count` documents, in an array if there are several; `head` makes the request's head
    /// for a body of that size.
    pub(super) fn new(count: usize, head: impl Fn(usize) -> Vec<u8>) -> Self {
        let array = count > 1;
        let size = count * (TEMPLATE.len() + 1) + 1;
        let length = if array { size } else { TEMPLATE.len() };
        let mut bytes = head(length);
        let mut documents = Vec::with_capacity(count);
        for index in 0..count {
            if array {
                bytes.push(if index == 0 { b'[' } else { b',' });
            }
            documents.push(bytes.len());
            bytes.extend_from_slice(TEMPLATE.as_bytes());
        }
        if array {
            bytes.push(b']');
        }
        Self { bytes, documents }
    }

    /// Numbers the documents from `first`, stamps them with `sent_us`, and gives the request.
    pub(super) fn prepare(&mut self, first: u64, sent_us: u64) -> &[u8] {
        for (number, start) in (first..).zip(&self.documents) {
            let document = &mut self.bytes[*start..*start + TEMPLATE.len()];
            write_digits(&mut document[10..22], BASE + number);
            write_digits(&mut document[33..45], BASE + sent_us);
            write_digits(&mut document[54..58], 1000 + number % GROUPS);
        }
        &self.bytes
    }

    /// How many documents a request holds.
    pub(super) fn documents(&self) -> u64 {
        self.documents.len() as u64
    }
}

/// The group of the document `number`, as the document says it.
pub(super) fn group_of(number: u64) -> u64 {
    1000 + number % GROUPS
}

/// The number after `name` at `found` in `text`.
pub(super) fn number_after(text: &[u8], found: usize, name: &[u8]) -> Option<u64> {
    let digits = text.get(found + name.len()..found + name.len() + DIGITS)?;
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn documents_are_json_with_the_numbers_given() {
        for count in [1, 3] {
            let mut request = WriteRequest::new(count, |length| format!("{length}\n").into_bytes());
            let text = String::from_utf8(request.prepare(1999, 77).to_vec()).unwrap();
            let (length, body) = text.split_once('\n').unwrap();
            assert_eq!(body.len(), length.parse::<usize>().unwrap());
            let body: Value = serde_json::from_str(body).unwrap();
            let first = if count == 1 { &body } else { &body[0] };
            assert_eq!(first["number"], BASE + 1999);
            assert_eq!(first["sent_us"], BASE + 77);
            assert_eq!(first["group"], group_of(1999));
            assert_eq!(first.as_object().unwrap().len(), 8);
        }
        assert!((230..270).contains(&TEMPLATE.len()), "{}", TEMPLATE.len());
    }

    #[test]
    fn numbers_are_found_again() {
        let mut request = WriteRequest::new(1, |_| Vec::new());
        let text = request.prepare(5, 123_456).to_vec();
        let found = memchr::memmem::find(&text, SENT).unwrap();
        assert_eq!(number_after(&text, found, SENT), Some(123_456));
        let found = memchr::memmem::find(&text, NUMBER).unwrap();
        assert_eq!(number_after(&text, found, NUMBER), Some(5));
        assert_eq!(number_after(b"\"number\":1", 0, NUMBER), None);
    }
}
