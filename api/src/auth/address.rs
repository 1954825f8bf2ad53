//! Addresses: whose request it is, behind proxies or not.
//!
//! Guarantees: an IPv4-mapped address counts as its IPv4 address everywhere, networks included; `X-Forwarded-For` is
//! believed as far as trusted proxies wrote it, and no further. `Forwarded` and `X-Real-IP` are never looked at.
//! Leaves to others: which networks are trusted (configuration).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};

const FORWARDED: &str = "x-forwarded-for";

/// The address of the client: the peer, unless that is a trusted proxy; then the rightmost entry of `X-Forwarded-For`
/// that is no trusted proxy itself. A malformed entry ends the search at the hop before it.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut address = peer.to_canonical();
    let lines = headers.get_all(FORWARDED).iter().rev();
    // A line that is no text is one malformed entry.
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for hop in hops {
        if !covers(trusted, address) {
            break;
        }
        let Some(next) = parse_hop(hop.trim()) else { break };
        address = next;
    }
    address
}

/// What limits are counted by: an IPv6 address by its /64, which is one customer's.
pub(crate) fn limit_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = v6.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 => v4,
    }
}

/// Reads a network, or a bare address as a network of one.
pub(crate) fn parse_network(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address.to_canonical())),
        Err(_) => text.parse().ok().map(canonical),
    }
}

/// Whether a network of a list holds an address. `0.0.0.0/0` is all of IPv4, `::/0` all of IPv6.
pub(crate) fn covers(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| canonical(*network).contains(&address))
}

/// A network within the mapped addresses as one of IPv4.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    match mapped.map(|(address, prefix)| Ipv4Net::new(address, prefix)) {
        Some(Ok(v4)) => IpNet::V4(v4),
        _ => network,
    }
}

/// `address`, `v4:port`, `[v6]` or `[v6]:port`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().filter(|_| !text.contains('%'));
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(bracketed).or_else(|| with_port().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn forwarded_entries_count_only_behind_trusted_proxies() {
        // Peer, header lines, trusted networks, the client.
        let rows: [(&str, &[&str], &[&str], &str); 21] = [
            ("203.0.113.9", &[], &[], "203.0.113.9"),
            ("203.0.113.9", &["1.1.1.1"], &[], "203.0.113.9"),
            ("203.0.113.9", &["1.1.1.1"], &["10.0.0.0/8"], "203.0.113.9"),
            ("10.0.0.1", &[], &["10.0.0.0/8"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], &["10.0.0.0/8"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7"], &["10.0.0.0/8"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.7"], &["10.0.0.0/8"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, 10.0.0.2"], &["10.0.0.0/8"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6, 198.51.100.7,10.0.0.2"], &["10.0.0.0/8"], "198.51.100.7"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], &["10.0.0.0/8"], "10.0.0.3"),
            ("10.0.0.1", &["198.51.100.7, unknown"], &["10.0.0.0/8"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7, , 10.0.0.2"], &["10.0.0.0/8"], "10.0.0.2"),
            ("10.0.0.1", &["198.51.100.7:4711"], &["10.0.0.0/8"], "198.51.100.7"),
            ("10.0.0.1", &["[2001:db8::1]:443"], &["10.0.0.0/8"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], &["10.0.0.0/8"], "2001:db8::1"),
            ("10.0.0.1", &["2001:db8::1"], &["10.0.0.0/8"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], &["10.0.0.0/8"], "198.51.100.7"),
            ("10.0.0.1", &["::ffff:198.51.100.7"], &["::ffff:10.0.0.0/104"], "198.51.100.7"),
            ("10.0.0.1", &["fe80::1%eth0"], &["10.0.0.0/8"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7, 0x0a.0.0.1"], &["10.0.0.0/8"], "10.0.0.1"),
            ("10.0.0.1", &["[198.51.100.7]"], &["10.0.0.0/8"], "10.0.0.1"),
        ];
        for (peer, lines, trusted, wanted) in rows {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED, HeaderValue::from_str(line).unwrap());
            }
            headers.append("forwarded", HeaderValue::from_static("for=9.9.9.9"));
            headers.append("x-real-ip", HeaderValue::from_static("9.9.9.9"));
            let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
            let found = client_address(ip(peer), &headers, &trusted);
            assert_eq!(found, ip(wanted), "{peer} {lines:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED, HeaderValue::from_static("6.6.6.6"));
        headers.append(FORWARDED, HeaderValue::from_bytes(b"\xff").unwrap());
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        assert_eq!(client_address(ip("10.0.0.1"), &headers, &trusted), ip("10.0.0.1"));
    }

    #[test]
    fn networks_hold_what_they_say() {
        let rows = [
            ("0.0.0.0/0", "198.51.100.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("0.0.0.0/0", "::ffff:198.51.100.7", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "198.51.100.7", false),
            ("::/0", "::ffff:198.51.100.7", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("::ffff:10.0.0.0/104", "10.1.1.1", true),
            ("::ffff:10.0.0.0/104", "::ffff:10.1.1.1", true),
            ("::ffff:10.0.0.0/104", "11.1.1.1", false),
            ("198.51.100.7", "198.51.100.7", true),
            ("198.51.100.7", "198.51.100.8", false),
            ("::ffff:198.51.100.7", "198.51.100.7", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::1", "2001:db8::1", true),
        ];
        for (network, address, wanted) in rows {
            let networks = [parse_network(network).unwrap()];
            assert_eq!(covers(&networks, ip(address)), wanted, "{network} {address}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "example.com", "::1/129", "10.0.0.0/", "/8"] {
            assert!(parse_network(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn limits_count_ipv6_by_its_64() {
        assert_eq!(limit_key(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(limit_key(ip("198.51.100.7")), ip("198.51.100.7"));
        assert_eq!(limit_key(ip("::ffff:198.51.100.7")), ip("198.51.100.7"));
    }
}
