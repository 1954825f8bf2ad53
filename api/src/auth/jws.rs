//! Signed tokens in their compact form (JWS): taken apart, and held against a key.
//!
//! Guarantees: nothing in a token chooses how it is checked: the algorithm must be one that the key is for, and a header
//! that brings a key, points to one, or demands extensions is refused. Members that come twice are refused.
//! Leaves to others: whose key it is, and what the claims must be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use headwater_engine::limits::Limits;
use headwater_engine::value::{Raw, json};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};

/// Most bytes of a token.
pub(crate) const TOKEN_BYTES_MAX: usize = 8 << 10;
/// Most bytes of a key's name.
const KID_BYTES_MAX: usize = 256;
/// Header members that would bring or find a key, or demand what is not understood.
const REFUSED: [&str; 6] = ["jku", "jwk", "x5u", "x5c", "crit", "zip"];

/// The algorithms, by their names.
pub(crate) const ALGORITHMS: [(&str, Algorithm); 12] = [
    ("HS256", Algorithm::HS256),
    ("HS384", Algorithm::HS384),
    ("HS512", Algorithm::HS512),
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// Why a token is refused; never with a word of it.
pub(crate) type Flaw = &'static str;

/// Its time is over.
pub(crate) const EXPIRED: Flaw = "the token has expired";

/// A token, taken apart but not checked.
pub(crate) struct Jws<'a> {
    header: Vec<u8>,
    claims: Vec<u8>,
    message: &'a str,
    signature: &'a str,
}

/// What its header says of the key, checked.
pub(crate) struct Named {
    /// The algorithm.
    pub(crate) algorithm: Algorithm,
    /// The name of the key.
    pub(crate) kid: Option<String>,
}

/// The algorithm of a name.
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    ALGORITHMS.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

/// Whether a text could be a token, rather than a key.
pub(crate) fn looks_like_one(text: &str) -> bool {
    text.contains('.')
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    pub(crate) fn split(token: &'a str) -> Result<Self, Flaw> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err("the token is longer than 8 KiB");
        }
        const PARTS: Flaw = "the token does not have three parts";
        let (message, signature) = token.rsplit_once('.').ok_or(PARTS)?;
        let (header, claims) = message.split_once('.').ok_or(PARTS)?;
        if claims.contains('.') {
            return Err(PARTS);
        }
        let header = object(header).ok_or("the token's header is no JSON object")?;
        let claims = object(claims).ok_or("the token's claims are no JSON object")?;
        Ok(Self { header, claims, message, signature })
    }

    /// The claims; not to be believed before [`Jws::is_signed_with`].
    pub(crate) fn claims(&self) -> Raw<'_> {
        Raw::trusted(&self.claims)
    }

    /// What the header says of the key; refused where it says what it must not.
    pub(crate) fn named(&self) -> Result<Named, Flaw> {
        let header = Raw::trusted(&self.header);
        if REFUSED.iter().any(|name| header.get(name).is_some()) {
            return Err("the token's header names keys or extensions, which are not taken from it");
        }
        let algorithm = header.get("alg").and_then(Raw::as_str).and_then(algorithm);
        let algorithm = algorithm.ok_or("the token's algorithm is not accepted")?;
        let kid = match header.get("kid") {
            None => None,
            Some(kid) => match kid.as_str() {
                Some(kid) if kid.len() <= KID_BYTES_MAX => Some(kid.to_owned()),
                _ => return Err("the token's `kid` is no text of at most 256 bytes"),
            },
        };
        Ok(Named { algorithm, kid })
    }

    /// Whether it is signed with a key by an algorithm; false, too, where the key is not for it.
    pub(crate) fn is_signed_with(&self, key: &DecodingKey, algorithm: Algorithm) -> bool {
        // Strictly: the library would take some other forms of base64 for the same.
        BASE64.decode(self.signature).is_ok()
            && crypto::verify(self.signature, self.message.as_bytes(), key, algorithm)
                .unwrap_or(false)
    }
}

/// An object in base64url, encoded.
fn object(part: &str) -> Option<Vec<u8>> {
    let limits = Limits { nesting: 20, ..Limits::for_stored_queries() };
    let bytes = BASE64.decode(part).ok()?;
    let value = json::parse_value(&bytes, &limits).ok()?;
    Raw::trusted(&value).as_object().is_some().then_some(value)
}
