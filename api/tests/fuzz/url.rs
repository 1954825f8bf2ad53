//! What must hold of the guard of outgoing requests for any url, asked by a fuzz target and by a plain test.
//!
//! The model of here is written apart from the guard: ranges by their first and last address, out of the registries of
//! special addresses, compared as text is read.

use std::net::{Ipv4Addr, Ipv6Addr};

/// First and last address of what is not public.
pub const REFUSED_V4: [(&str, &str); 16] = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("168.63.129.16", "168.63.129.16"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
];

/// The same of IPv6, what stands for IPv4 addresses included.
pub const REFUSED_V6: [(&str, &str); 6] = [
    ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

/// The host of a parsed url, as the connection will have it, and whether the guard lets it pass as it stands there.
/// Whether it is an address.
pub fn holds(host: &str, passes: bool) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        let address: Ipv6Addr = inner.trim_end_matches(']').parse().expect("what is in brackets");
        assert_eq!(passes, public_v6(address), "{host}");
        return true;
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        assert_eq!(passes, public_v4(address), "{host}");
        return true;
    }
    assert!(passes, "a name is vetted when it is resolved: {host}");
    assert!(!looks_like_an_address(host), "a resolver may take {host} for an address");
    false
}

fn public_v4(address: Ipv4Addr) -> bool {
    let read = |text: &str| text.parse::<Ipv4Addr>().expect("an address of the table");
    !REFUSED_V4.iter().any(|(first, last)| read(first) <= address && address <= read(last))
}

fn public_v6(address: Ipv6Addr) -> bool {
    let read = |text: &str| text.parse::<Ipv6Addr>().expect("an address of the table");
    let mut ranges = REFUSED_V6.iter();
    let text = format!("{:032x}", address.to_bits());
    let isatap = ["00005efe", "02005efe"].contains(&&text[16..24]);
    !isatap && !ranges.any(|(first, last)| read(first) <= address && address <= read(last))
}

/// Whether the last part is a number: resolvers take such names for addresses in old forms.
fn looks_like_an_address(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let digits = hex.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}
